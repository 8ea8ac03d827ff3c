"""From one page to the next."""

from starlette.responses import RedirectResponse, Response

from streamer.first_run.web.pages import Pages


def lead_to(pages: Pages, path: str) -> Response:
    """Lead the browser to a page, which it then asks for with GET: nothing is sent twice by a reload."""
    return RedirectResponse(f"{pages.browser.root}/{path}", status_code=303)

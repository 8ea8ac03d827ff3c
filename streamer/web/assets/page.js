// Keeps the parts of a page that change fresh: asks the server for them every two seconds while the page is visible.
const PERIOD_MS = 2000;
const offline = document.getElementById("offline");

async function renew(part) {
  const answer = await fetch(part.dataset.part, { cache: "no-store", signal: AbortSignal.timeout(10000) });
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  const html = await answer.text();
  if (html === part.lastHtml) return;
  part.lastHtml = html;
  const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
  const fresh = document.createElement("div");
  fresh.innerHTML = html;
  // a picture that is still the same keeps its element, or it would flicker; what was unfolded stays so
  const shown = new Map([...part.querySelectorAll("img")].map((image) => [image.src, image]));
  for (const image of fresh.querySelectorAll("img")) {
    const same = shown.get(image.src);
    if (same) image.replaceWith(same);
  }
  const unfolded = [...part.querySelectorAll("details")].map((details) => details.open);
  fresh.querySelectorAll("details").forEach((details, place) => { details.open = unfolded[place] ?? false; });
  const pushed = [...part.querySelectorAll(".scroll")].map((region) => region.scrollLeft);
  // what is told aloud stays where it is, or a screen reader would tell it again and again
  const told = [...part.querySelectorAll("[role=status]")];
  for (const [place, status] of fresh.querySelectorAll("[role=status]").entries()) {
    const same = told[place];
    if (!same || same.id !== status.id) continue;
    if (!("keep" in same.dataset)) {
      same.className = status.className;
      if (same.textContent !== status.textContent) same.textContent = status.textContent;
    }
    status.replaceWith(same);
  }
  part.replaceChildren(...fresh.childNodes);
  part.querySelectorAll(".scroll").forEach((region, place) => { region.scrollLeft = pushed[place] ?? 0; });
  if (focused && document.activeElement?.id !== focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

export async function refresh() {
  try {
    await Promise.all([...document.querySelectorAll("[data-part]")].map(renew));
    offline.hidden = true;
  } catch {
    offline.hidden = false;
  }
}

async function keepFresh() {
  if (!document.hidden) await refresh();
  setTimeout(keepFresh, PERIOD_MS);
}

document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
setTimeout(keepFresh, PERIOD_MS);

// Says what goes on while a form is on its way, and sends none twice. Everything works without it.
for (const form of document.querySelectorAll("form[data-busy]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "1";
    const note = document.createElement("p");
    note.className = "busy busy-note";
    note.setAttribute("role", "status");
    form.append(note);
    note.textContent = form.dataset.busy;
    // later: a button that is disabled at once would not be sent along
    setTimeout(() => { for (const button of form.querySelectorAll("button")) button.disabled = true; });
  });
}
// a page that is gone back to can be sent again
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
const problem = document.querySelector("[role=alert]");
if (problem) { problem.tabIndex = -1; problem.focus(); }

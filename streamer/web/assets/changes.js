// Acknowledges and judges an alert, and takes suppression areas away.
import { refresh } from "/assets/page.js";
import { change } from "/assets/requests.js";

const form = document.getElementById("say");
const said = document.getElementById("said");

let busy = false;

// One change at a time: a double click is one. A button that is disabled meanwhile would lose the focus.
async function once(action) {
  if (busy) return;
  busy = true;
  try {
    await action();
  } finally {
    busy = false;
  }
}

form?.addEventListener("submit", (event) => {
  event.preventDefault();
  once(() => say(event.submitter));
});

async function say(button) {
  const { name, value } = button;
  const { by, note, what } = Object.fromEntries(new FormData(form));
  const body = name === "ack" ? { by, note } : { verdict: value, by, note, what: value === "false_alarm" ? what : "" };
  localStorage.setItem("ppewatch.by", by);
  try {
    const told = await change("POST", `/api/alerts/${encodeURIComponent(form.dataset.alert)}/${name}`, body);
    said.textContent = told.suppression ? "Noted. Alerts of this rule are held back at this place from now on." : "Noted.";
    await refresh();
  } catch (error) {
    said.textContent = `Not noted: ${error.message}`;
  }
}
if (form) form.elements.by.value = localStorage.getItem("ppewatch.by") ?? "";

document.addEventListener("click", (event) => {
  const area = event.target.closest?.("[data-remove-area]")?.dataset.removeArea;
  if (area) once(() => remove(area));
});

async function remove(area) {
  const told = document.getElementById("area-said");
  try {
    await change("DELETE", `/api/suppressions/${encodeURIComponent(area)}`);
    told.textContent = "Removed.";
    await refresh();
  } catch (error) {
    told.textContent = `Not removed: ${error.message}`;
  }
}

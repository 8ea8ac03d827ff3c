// Acknowledges and judges an alert, and takes suppression areas away.
import { refresh } from "/assets/page.js";
import { change } from "/assets/requests.js";

const form = document.getElementById("say");
const said = document.getElementById("said");

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { name, value } = event.submitter;
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
});
if (form) form.elements.by.value = localStorage.getItem("ppewatch.by") ?? "";

document.addEventListener("click", async (event) => {
  const area = event.target.closest?.("[data-remove-area]")?.dataset.removeArea;
  if (!area) return;
  try {
    await change("DELETE", `/api/suppressions/${encodeURIComponent(area)}`);
    await refresh();
  } catch (error) {
    event.target.textContent = `Not removed: ${error.message}`;
  }
});

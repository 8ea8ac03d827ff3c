// A camera's zones and rules: drawn, tried on the last minute, saved, brought back.
import { change } from "/assets/requests.js";
import { Canvas, shape } from "/assets/zone_canvas.js";
import { Draft } from "/assets/zone_draft.js";
import { Forms, make } from "/assets/zone_forms.js";
import { Picture } from "/assets/zone_picture.js";

const TRIAL_MS = 60_000, SAVE_MS = 60_000;
const editor = document.getElementById("editor");
const by = (id) => document.getElementById(id);

const timeZone = knownZone(editor?.dataset.timezone);
const moment = (at) => new Date(at).toLocaleString(undefined, { dateStyle: "short", timeStyle: "medium", timeZone });
const clock = (at) => new Date(at).toLocaleTimeString(undefined, { timeZone });

if (editor) start(editor.dataset.camera);

async function start(camera) {
  const path = `/api/cameras/${encodeURIComponent(camera)}/zones`;
  const tell = (text) => { by("told").textContent = text; };
  const say = (text, bad = false) => {
    by("said").textContent = text;
    by("said").className = bad ? "said bad" : "said";
  };

  async function read() {
    const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(15000) });
    const told = await answer.json();
    if (!answer.ok) throw new Error(told.problems?.map((problem) => problem.message).join("; ") || told.error);
    return told;
  }

  let state;
  try {
    state = await read();
  } catch (error) {
    say(`The zones cannot be changed: ${error.message}`, true);
    return;
  }
  const draft = new Draft(state, (key) => {
    canvas.render();
    // what was said was said of something else
    say("");
    // whoever types, or drags, must not have the field rebuilt under the hands
    if (!key || key.startsWith("keys") || key.startsWith("drag")) forms.problems = [];
    if (!key || !/^(dwell_s|clear_s|cooldown_s) /.test(key)) forms.render();
    showState();
    showAlerts();
  });
  const canvas = new Canvas(by("overlay"), draft, {
    tell,
    onSelect: () => { forms.render(); showState(); },
    onDrawing: (drawing) => { by("draw").textContent = drawing ? "Stop drawing" : "Draw a zone"; },
  });
  const forms = new Forms(by("zone-form"), by("rules-form"), draft, canvas);
  const picture = new Picture(by("frame"), by("waiting"), canvas, camera);

  function showState() {
    by("undo").disabled = !draft.past.length;
    by("redo").disabled = !draft.future.length;
    by("save").disabled = !draft.isChanged;
    by("unsaved").hidden = !draft.isChanged;
    picture.anchor = draft.zone?.anchor ?? "feet";
  }

  function showFile() {
    by("warning").textContent = draft.state.warning ? `Note: ${draft.state.warning}.` : "";
    by("warning").hidden = !draft.state.warning;
    by("versions").replaceChildren(...draft.state.versions.map(({ version, at, what }) => make("li", { class: "line" },
      make("span", {}, make("time", { datetime: at }, moment(at)), ` before: ${what}`),
      make("button", { type: "button", onclick: () => bringBack(version) }, "Bring this back", make("span", { class: "unseen" }, ` of ${moment(at)}`)))));
    by("history").hidden = !draft.state.versions.length;
  }

  async function startAnew() {
    const chosen = draft.zone?.name;
    draft.take(await read());
    draft.selected = draft.now.zones.find((zone) => zone.name === chosen)?.id ?? draft.selected;
    forms.problems = [];
    forms.added = undefined;
    canvas.render();
    forms.render();
    showState();
    showFile();
  }

  // -- what the server is asked for --

  // Where the problems belong: the first zone that is wrong is chosen, so that its field can be seen.
  function blame(error, ids) {
    const placed = error.problems.map(({ message, zone, rule, field }) => {
      const id = zone === null ? ids?.[rule] : draft.now.zones.find((each) => each.name === zone)?.id;
      return { id, field, message };
    });
    const wrong = placed.find(({ id }) => draft.now.zones.some((zone) => zone.id === id));
    if (wrong) draft.selected = wrong.id;
    canvas.render();
    forms.blame(placed.filter(({ id }) => id));
    return error.problems.map(({ message, zone }) => (zone ? `zone ${zone}: ${message}` : message)).join("; ") || error.message;
  }

  // Whether somebody else's change, or a new start of the daemon, has left what this page shows as it was. What the daemon does not
  // go by yet, as its warning tells, nobody puts into force unseen.
  async function isSameStill() {
    const seen = ({ zones, rules, warning }) => JSON.stringify([zones, rules, warning]);
    const fresh = await read();
    if (seen(fresh) !== seen(draft.state)) return false;
    draft.state = fresh;
    showFile();
    return true;
  }

  // A wish that the file's revision is in the way of goes out once more, if nothing that it is about has changed.
  async function wished(send, body) {
    try {
      return await send(body);
    } catch (error) {
      if (!error.conflict || !(await isSameStill())) throw error;
      return await send({ ...body, revision: draft.state.revision });
    }
  }

  let asking = false;

  async function ask(button, words, request) {
    if (asking) return undefined;
    asking = true;
    const { ids, body } = draft.wish();
    button.disabled = true;
    say(words);
    forms.blame([]);
    by("anew").hidden = true;
    try {
      return await request(body);
    } catch (error) {
      say(`Not done: ${error.problems ? blame(error, ids) : error.message}.`, true);
      by("anew").hidden = !error.conflict;
      return undefined;
    } finally {
      asking = false;
      button.disabled = false;
      showState();
    }
  }

  function told(report) {
    const changes = report.changes.join("; ") || "nothing that the settings tell";
    say(report.in_force ? `Saved and in force: ${changes}.` : `Saved (${changes}), but not in force: ${report.error}.`, !report.in_force);
  }

  async function save() {
    // what somebody drew meanwhile would be gone with what is read anew
    editor.inert = true;
    try {
      const report = await ask(by("save"), "Saving …", (body) => wished((each) => change("PUT", path, each, SAVE_MS), body));
      if (!report) return;
      forgetTrial();
      await startAnew();
      told(report);
    } finally {
      editor.inert = false;
    }
  }

  async function bringBack(version) {
    if (draft.isChanged && !confirm("What is not saved is lost. Bring the earlier version back?")) return;
    const report = await ask(by("save"), "Bringing it back …", () =>
      change("POST", `/api/site/versions/${encodeURIComponent(version)}/restore`, { revision: draft.state.revision }, SAVE_MS));
    if (!report) return;
    forgetTrial();
    await startAnew();
    told(report);
  }

  // -- the trial --

  let trial, chosenAlert;

  async function tryOut() {
    const report = await ask(by("try"), "Trying …", (body) => wished((each) => change("POST", `${path}/try`, each, TRIAL_MS), body));
    if (!report) return;
    trial = report;
    chosenAlert = undefined;
    await picture.show(null);
    const seconds = Math.round((Date.parse(report.until) - Date.parse(report.since)) / 1000);
    const count = (alerts) => (alerts.length ? `${alerts.length} ${alerts.length === 1 ? "alert" : "alerts"}` : "no alert");
    say("");
    by("trial-sum").textContent = `In the last ${seconds} s (${report.looks} looks) this would have led to ${count(report.alerts)}; the rules in force lead to ${count(report.present)}.`;
    by("trial-notes").replaceChildren(...report.notes.map((note) => make("li", {}, note)));
    by("trial-alerts").replaceChildren(...report.alerts.map((alert, number) => make("li", {}, make("button", {
      type: "button", class: "choice", id: `alert-${number}`, "aria-pressed": "false", onclick: () => choose(number),
    }, words(alert, number)))));
    by("trial").hidden = false;
    showAlerts();
    by("trial").focus();
  }

  function words(alert, number) {
    const lasted = alert.ended_at ? `for ${Math.round((Date.parse(alert.ended_at) - Date.parse(alert.at)) / 1000)} s` : "still going on";
    const who = alert.persons > 1 ? `${alert.persons} persons` : `person ${alert.track_id}`;
    return `${number + 1}. ${clock(alert.at)}: ${who} without ${alert.missing.join(", ").replaceAll("_", " ")}${alert.zone ? ` in ${alert.zone}` : ""}, ${lasted} (${alert.rule})`;
  }

  // One alert at its moment, where this page has seen that; all of them over the live picture otherwise.
  async function choose(number) {
    chosenAlert = chosenAlert === number ? undefined : number;
    trial.alerts.forEach((_, each) => by(`alert-${each}`).setAttribute("aria-pressed", String(each === chosenAlert)));
    const seen = await picture.show(chosenAlert === undefined ? null : Date.parse(trial.alerts[number].at));
    by("live").hidden = chosenAlert === undefined || !seen;
    tell(chosenAlert === undefined || seen ? "" : "This page was not open then: the picture is of now, the box of then.");
    showAlerts();
  }

  function showAlerts() {
    const shown = (trial?.alerts ?? []).map((alert, number) => [alert, number]).filter(([, number]) => chosenAlert === undefined || number === chosenAlert);
    canvas.layers.alerts.replaceChildren(...shown.flatMap(([{ box_xyxy: box, head_xyxy: head }, number]) => {
      const [x, y] = canvas.units(box), [right, bottom] = canvas.units(box.slice(2));
      const parts = [shape("rect", { x, y, width: right - x, height: bottom - y })];
      if (head) {
        const [hx, hy] = canvas.units(head), [hr, hb] = canvas.units(head.slice(2));
        parts.push(shape("rect", { class: "head", x: hx, y: hy, width: hr - hx, height: hb - hy }));
      }
      parts.push(shape("text", { x: x + 4 * canvas.unit, y: y + 18 * canvas.unit, "font-size": 16 * canvas.unit }, `${number + 1}`));
      return parts;
    }));
  }

  function forgetTrial() {
    trial = chosenAlert = undefined;
    by("trial").hidden = by("live").hidden = true;
    picture.show(null);
    showAlerts();
  }

  // -- buttons and keys --

  by("draw").addEventListener("click", () => (canvas.drawing ? canvas.stop(false) : canvas.begin()));
  by("rectangle").addEventListener("click", () => {
    if (canvas.drawing) canvas.stop(false);
    draft.addZone([[0.3, 0.3], [0.7, 0.3], [0.7, 0.7], [0.3, 0.7]]);
    by("overlay").querySelector(`[data-zone="${draft.selected}"][data-corner="0"]`)?.focus();
  });
  by("undo").addEventListener("click", () => draft.undo());
  by("redo").addEventListener("click", () => draft.redo());
  by("add-corner").addEventListener("click", () => {
    const at = canvas.focusedCorner ?? { id: draft.selected, corner: 0 };
    if (at.id) canvas.addAfter(at.id, at.corner);
  });
  by("remove-corner").addEventListener("click", () => {
    if (canvas.focusedCorner) canvas.remove(canvas.focusedCorner.id, canvas.focusedCorner.corner);
    else tell("Choose the corner first: click or tap it.");
  });
  by("try").addEventListener("click", tryOut);
  by("save").addEventListener("click", save);
  by("live").addEventListener("click", () => choose(chosenAlert));
  by("forget").addEventListener("click", () => { forgetTrial(); by("try").focus(); });
  by("anew").addEventListener("click", async () => {
    by("anew").hidden = true;
    await startAnew();
    say("Read anew from the file.");
  });
  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || /^(input|select|textarea)$/i.test(event.target.tagName)) return;
    const key = event.key.toLowerCase();
    if (key !== "z" && key !== "y") return;
    event.preventDefault();
    if (key === "y" || event.shiftKey) draft.redo();
    else draft.undo();
  });
  addEventListener("beforeunload", (event) => { if (draft.isChanged) event.preventDefault(); });

  canvas.render();
  forms.render();
  showState();
  showFile();
  editor.hidden = false;
  by("loading").hidden = true;
}

// The site's time zone, as on all pages, or this browser's where it does not know that.
function knownZone(timeZone) {
  try {
    return new Intl.DateTimeFormat(undefined, { timeZone }).resolvedOptions().timeZone;
  } catch {
    return undefined;
  }
}

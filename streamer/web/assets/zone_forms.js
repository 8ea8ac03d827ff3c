// The forms beside the picture: the chosen zone, and the rules of the camera.
const GEAR = (name) => name.replaceAll("_", " ");
const TIMES = [
  ["dwell_s", "Alert after (s)", "Missing for so long before the alert opens", 3600],
  ["clear_s", "Ends after (s)", "Worn, or gone, for so long before it closes", 3600],
  ["cooldown_s", "Pause (s)", "No new alert near the same place for so long", 86400],
];
// keys of the file, as the fields here are called
const FIELDS = { dwell: "dwell_s", clear: "clear_s", cooldown: "cooldown_s", allow: "allow_incorrect", where: "places" };

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && typeof value === "boolean") element[name] = value;
    else if (value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

const labelled = (text, input, hint) => make("label", { title: hint }, make("span", {}, text), input);
const ticked = (text, input) => make("label", { class: "tick" }, input, " ", text);

export class Forms {
  constructor(zones, rules, draft, canvas) {
    Object.assign(this, { zones, rules, draft, canvas });
    this.problems = [];
  }

  render() {
    const { id: focused, selectionStart, selectionEnd } = document.activeElement ?? {};
    const open = new Set([...this.rules.querySelectorAll("details[open]")].map((each) => each.id));
    this.zones.replaceChildren(...this.#zones());
    this.rules.replaceChildren(...this.#rules());
    open.forEach((id) => { const details = document.getElementById(id); if (details) details.open = true; });
    this.#mark();
    if (!focused || document.activeElement?.id === focused) return;
    const input = document.getElementById(focused);
    input?.focus();
    if (input?.type === "text") input.setSelectionRange(selectionStart, selectionEnd);
  }

  // What the server found wrong: [{ id of a zone or a rule, field, message }]
  blame(problems) {
    this.problems = problems;
    this.render();
  }

  #mark() {
    for (const [number, { id, field, message }] of this.problems.entries()) {
      const name = FIELDS[field] ?? field;
      const input = document.getElementById(`${id}-${name}`) ?? document.getElementById(`${id}-name`);
      if (!input) continue;
      const told = make("p", { class: "problem", id: `problem-${number}` }, message);
      input.setAttribute("aria-invalid", "true");
      input.setAttribute("aria-describedby", told.id);
      (input.closest("label, fieldset.group") ?? input).after(told);
    }
  }

  #zones() {
    const { draft } = this;
    const list = make("div", { class: "chosen", role: "group", "aria-label": "Zones" }, ...draft.now.zones.map((zone) => make("button", {
      type: "button", id: `choose-${zone.id}`, class: "choice", "aria-pressed": String(zone.id === draft.selected), onclick: () => this.canvas.select(zone.id),
    }, zone.name || "without a name")));
    const { zone } = draft;
    if (!zone) return [make("p", { class: "quiet" }, "No zone yet: draw one on the picture, or add a rectangle.")];
    const change = (name) => ({ target }) => draft.edit((now) => { now.zones.find((each) => each.id === zone.id)[name] = target.value; }, `${name} ${zone.id}`);
    const anchors = { feet: "the feet", center: "the middle of the body", head: "the head" };
    return [
      list,
      make("div", { class: "fields" },
        labelled("Name", make("input", { id: `${zone.id}-name`, value: zone.name, maxlength: 64, pattern: "[a-zA-Z0-9_\\-]+", oninput: change("name"), autocomplete: "off", spellcheck: "false" }), "Letters, digits, - and _"),
        labelled("In it is who has in it", this.#select(`${zone.id}-anchor`, anchors, zone.anchor, change("anchor")))),
      make("p", { id: `${zone.id}-coordinates`, class: "quiet" }, `${zone.corners.length} corners`),
      draft.now.rules.some((rule) => rule.zones.includes(zone.id)) ? "" : make("p", { class: "quiet" }, "No rule names this zone: choose it at a rule below, or make a new one."),
      make("button", { type: "button", id: `remove-${zone.id}`, onclick: () => this.canvas.remove(zone.id) }, `Remove ${zone.name}`),
    ];
  }

  #select(id, choices, value, onchange) {
    return make("select", { id, onchange }, ...Object.entries(choices).map(([each, text]) => make("option", { value: each, selected: each === value }, text)));
  }

  #rules() {
    const here = this.draft.now.rules.filter((rule) => this.draft.holdsHere(rule) || this.added?.has(rule.id) || rule.was === null || this.#heldHere(rule));
    const others = this.draft.now.rules.filter((rule) => !here.includes(rule));
    const parts = here.map((rule) => this.#rule(rule));
    if (!here.length) parts.push(make("p", { class: "quiet" }, "No rule holds at this camera: nobody is watched here."));
    const more = make("div", { class: "tools" }, make("button", { type: "button", id: "new-rule", onclick: () => {
      const id = this.draft.addRule();
      document.getElementById(`${id}-name`)?.focus();
    } }, "New rule"));
    if (others.length) {
      const choice = make("select", { id: "other-rule", "aria-label": "Rule of the site" }, ...others.map((rule) => make("option", { value: rule.id }, rule.name)));
      more.append(choice, make("button", { type: "button", id: "take-rule", onclick: () => {
        (this.added ??= new Set()).add(choice.value);
        this.draft.edit((now) => {
          const rule = now.rules.find((each) => each.id === choice.value);
          if (this.draft.selected) rule.zones.push(this.draft.selected);
          else rule.whole_picture = true;
        });
      } }, "Let it hold here too"));
    }
    return [...parts, more];
  }

  // A rule that has lost its last place stays in sight until it gets another, or is removed.
  #heldHere(rule) {
    const first = this.draft.first.rules.find((each) => each.id === rule.id);
    return first !== undefined && this.draft.holdsHere(first);
  }

  #rule(rule) {
    const { draft } = this, { id } = rule;
    const edit = (change, key) => draft.edit((now) => change(now.rules.find((each) => each.id === id)), key && `${key} ${id}`);
    const set = (name, read = (target) => target.value) => ({ target }) => edit((now) => { now[name] = read(target); }, name);
    const toggled = (list, value, on) => (on ? [...list, value] : list.filter((each) => each !== value));
    const gear = make("fieldset", { class: "group", id: `${id}-require` }, make("legend", {}, "Required"), ...draft.state.gear.map((name) => ticked(GEAR(name), make("input", {
      type: "checkbox", id: `${id}-require-${name}`, checked: rule.require.includes(name), onchange: ({ target }) => edit((now) => { now.require = toggled(now.require, name, target.checked); }),
    }))));
    const places = make("fieldset", { class: "group", id: `${id}-places` }, make("legend", {}, "Holds in"),
      ticked("the whole picture", make("input", { type: "checkbox", id: `${id}-whole`, checked: rule.whole_picture, onchange: set("whole_picture", (target) => target.checked) })),
      ...draft.now.zones.map((zone) => ticked(zone.name, make("input", {
        type: "checkbox", id: `${id}-in-${zone.id}`, checked: rule.zones.includes(zone.id), onchange: ({ target }) => edit((now) => { now.zones = toggled(now.zones, zone.id, target.checked); }),
      }))));
    const times = make("div", { class: "fields times" }, ...TIMES.map(([name, text, hint, max]) => labelled(text, make("input", {
      type: "number", id: `${id}-${name}`, min: 0, max, step: "any", value: rule[name], oninput: set(name, (target) => (Number.isFinite(target.valueAsNumber) ? target.valueAsNumber : 0)),
    }), hint)));
    const more = make("details", { id: `${id}-more` }, make("summary", {}, "More"),
      make("div", { class: "fields" },
        labelled("Severity", this.#select(`${id}-severity`, { alert: "alert", detection: "detection, quieter" }, rule.severity, set("severity"))),
        labelled("One alert for", this.#select(`${id}-alert_per`, { person: "each person", zone: "the zone, with a count" }, rule.alert_per, set("alert_per")))),
      ticked("a face mask that leaves nose or mouth free counts as worn", make("input", { type: "checkbox", id: `${id}-allow_incorrect`, checked: rule.allow_incorrect, onchange: set("allow_incorrect", (target) => target.checked) })),
      ticked("switched on", make("input", { type: "checkbox", id: `${id}-enabled`, checked: rule.enabled, onchange: set("enabled", (target) => target.checked) })));
    const notes = [
      rule.wildcards.length ? `It holds here by ${rule.wildcards.map((each) => `“${each}”`).join(", ")} too, which only the file can change.` : undefined,
      rule.elsewhere.length ? `It also holds at ${rule.elsewhere.join(", ")}, and changes there too.` : undefined,
      rule.schedule ? `It holds ${rule.schedule}; the hours are set in the file.` : undefined,
      rule.enabled ? undefined : "It is switched off.",
    ].filter(Boolean);
    return make("section", { class: "rule", "aria-label": `Rule ${rule.name}` },
      labelled("Rule", make("input", { id: `${id}-name`, value: rule.name, maxlength: 100, oninput: set("name"), autocomplete: "off" })),
      make("div", { class: "groups" }, gear, places), times,
      ...notes.map((note) => make("p", { class: "quiet" }, note)), more,
      make("button", { type: "button", id: `remove-${id}`, onclick: () => draft.edit((now) => { now.rules = now.rules.filter((each) => each.id !== id); }) }, "Remove this rule"));
  }
}

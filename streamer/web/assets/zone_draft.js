// What somebody wants of a camera's zones and rules, with undo. Knows no page.
const MOST_STEPS = 200;
const SAME_STEP_MS = 800;

const copy = (value) => structuredClone(value);

export class Draft {
  constructor(state, onChange) {
    this.onChange = onChange;
    this.take(state);
  }

  // Start from what the file says.
  take(state) {
    this.state = state;
    let number = 0;
    const zones = state.zones.map((zone) => ({ ...zone, id: `z${number++}` }));
    const idOf = Object.fromEntries(zones.map((zone) => [zone.name, zone.id]));
    const rules = state.rules.map(({ rule, wildcards, elsewhere, schedule }) => ({
      ...rule, zones: rule.zones.map((name) => idOf[name]), wildcards, elsewhere, schedule, id: `r${number++}`,
    }));
    this.number = number;
    this.now = { zones, rules };
    this.first = copy(this.now);
    this.past = [];
    this.future = [];
    this.selected = zones[0]?.id;
    this.lastKey = undefined;
  }

  get zone() { return this.now.zones.find((zone) => zone.id === this.selected); }
  get isChanged() { return JSON.stringify(this.now) !== JSON.stringify(this.first); }

  // Change something: `edit` gets what is wanted now. Edits of one `key` that follow at once are one step.
  edit(edit, key) {
    const same = key && key === this.lastKey && performance.now() - this.lastMs < SAME_STEP_MS;
    if (!same) {
      this.past.push(copy(this.now));
      if (this.past.length > MOST_STEPS) this.past.shift();
    }
    this.lastKey = key;
    this.lastMs = performance.now();
    this.future = [];
    edit(this.now);
    this.onChange(key);
  }

  undo() { this.#step(this.past, this.future); }
  redo() { this.#step(this.future, this.past); }

  #step(from, to) {
    if (!from.length) return;
    to.push(this.now);
    this.now = from.pop();
    this.lastKey = undefined;
    if (!this.zone) this.selected = this.now.zones[0]?.id;
    this.onChange();
  }

  addZone(corners) {
    const names = new Set(this.now.zones.map((zone) => zone.name));
    let number = this.now.zones.length + 1;
    while (names.has(`zone-${number}`)) number++;
    const id = `z${this.number++}`;
    this.selected = id;
    this.edit((now) => now.zones.push({ id, was: null, name: `zone-${number}`, corners: corners.map(inside), anchor: "feet" }));
  }

  removeZone(id) {
    this.edit((now) => {
      now.zones = now.zones.filter((zone) => zone.id !== id);
      for (const rule of now.rules) rule.zones = rule.zones.filter((each) => each !== id);
      if (this.selected === id) this.selected = now.zones[0]?.id;
    });
  }

  moveCorner(id, place, [x, y], key) {
    this.edit((now) => { find(now, id).corners[place] = inside([x, y]); }, key);
  }

  // The whole polygon, as far as the picture reaches.
  moveZone(id, from, [dx, dy], key) {
    const xs = from.map(([x]) => x), ys = from.map(([, y]) => y);
    const across = Math.min(Math.max(dx, -Math.min(...xs)), 1 - Math.max(...xs));
    const down = Math.min(Math.max(dy, -Math.min(...ys)), 1 - Math.max(...ys));
    this.edit((now) => { find(now, id).corners = from.map(([x, y]) => inside([x + across, y + down])); }, key);
  }

  // A corner behind `place`, halfway to the next one unless said where.
  addCorner(id, place, at) {
    this.edit((now) => {
      const { corners } = find(now, id);
      const [[x1, y1], [x2, y2]] = [corners[place], corners[(place + 1) % corners.length]];
      corners.splice(place + 1, 0, inside(at ?? [(x1 + x2) / 2, (y1 + y2) / 2]));
    });
  }

  removeCorner(id, place) {
    if (find(this.now, id).corners.length <= 3) return false;
    this.edit((now) => { find(now, id).corners.splice(place, 1); });
    return true;
  }

  addRule() {
    const names = new Set(this.now.rules.map((rule) => rule.name));
    const wanted = this.zone ? `rule of ${this.state.camera} ${this.zone.name}` : `rule of ${this.state.camera}`;
    let name = wanted;
    for (let number = 2; names.has(name); number++) name = `${wanted} ${number}`;
    const id = `r${this.number++}`;
    this.edit((now) => now.rules.push({
      id, was: null, name, require: [this.state.gear[0]], dwell_s: 2, clear_s: 5, cooldown_s: 60, severity: "alert",
      alert_per: "person", allow_incorrect: false, enabled: true, whole_picture: !this.zone,
      zones: this.zone ? [this.zone.id] : [], wildcards: [], elsewhere: [], schedule: "",
    }));
    return id;
  }

  holdsHere(rule) { return rule.whole_picture || rule.zones.length > 0 || rule.wildcards.length > 0; }

  // What is sent: all zones, and of the rules those that changed. `ids`: which rule stands at which place.
  wish() {
    const nameOf = Object.fromEntries(this.now.zones.map((zone) => [zone.id, zone.name]));
    const before = Object.fromEntries(this.first.rules.map((rule) => [rule.id, JSON.stringify(rule)]));
    const changed = this.now.rules.filter((rule) => JSON.stringify(rule) !== before[rule.id]);
    const kept = new Set(this.now.rules.map((rule) => rule.id));
    return {
      ids: changed.map((rule) => rule.id),
      body: {
        revision: this.state.revision,
        zones: this.now.zones.map(({ was, name, corners, anchor }) => ({ was, name, corners, anchor })),
        rules: changed.map(({ id, wildcards, elsewhere, schedule, ...rule }) => (
          { ...rule, zones: rule.zones.map((each) => nameOf[each]) })),
        removed_rules: this.first.rules.filter((rule) => !kept.has(rule.id)).map((rule) => rule.was),
      },
    };
  }
}

const find = (now, id) => now.zones.find((zone) => zone.id === id);
const fenced = (value) => Math.round(Math.min(Math.max(value, 0), 1) * 10000) / 10000;
const inside = ([x, y]) => [fenced(x), fenced(y)];

// Whether two sides of a polygon cross; the server tells the rest.
export function crosses(corners) {
  const turn = ([ax, ay], [bx, by], [cx, cy]) => Math.sign((bx - ax) * (cy - ay) - (by - ay) * (cx - ax));
  const sides = corners.map((corner, place) => [corner, corners[(place + 1) % corners.length]]);
  return sides.some(([a, b], i) => sides.some(([c, d], j) =>
    j > i + 1 && (j + 1) % sides.length !== i && turn(a, b, c) * turn(a, b, d) < 0 && turn(c, d, a) * turn(c, d, b) < 0));
}

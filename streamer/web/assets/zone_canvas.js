// The zones over the picture: drawn, moved by mouse, finger and keyboard.
import { crosses } from "/assets/zone_draft.js";

const SVG = "http://www.w3.org/2000/svg";
const HIGH = 1000; // the overlay's own height; its width follows the picture's
const CLOSE_PX = 14; // so near to the first corner a click closes the polygon
const STEP = 0.01, FINE_STEP = 0.001;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const percent = (share) => `${(share * 100).toFixed(1).replace(/\.0$/, "")} %`;
const place = ([x, y]) => `${percent(x)} from the left, ${percent(y)} from the top`;

export function shape(name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

export class Canvas {
  // `tell`: says something to people; `onDrawing`: a polygon is begun (true) or done with (false).
  constructor(svg, draft, { tell, onSelect, onDrawing }) {
    Object.assign(this, { svg, draft, tell, onSelect, onDrawing });
    this.layers = Object.fromEntries(["people", "zones", "handles", "sketch", "alerts"].map((name) => {
      const layer = shape("g", { class: name });
      svg.append(layer);
      return [name, layer];
    }));
    this.drawing = undefined;
    this.grip = undefined;
    svg.addEventListener("pointerdown", (event) => this.#down(event));
    svg.addEventListener("pointermove", (event) => this.#move(event));
    svg.addEventListener("pointerup", (event) => this.#up(event));
    svg.addEventListener("pointercancel", () => { this.grip = undefined; });
    svg.addEventListener("keydown", (event) => this.#key(event));
    svg.addEventListener("focusin", ({ target }) => this.#focused(target));
    new ResizeObserver(() => this.render()).observe(svg);
    this.setAspect(16 / 9);
  }

  setAspect(aspect) {
    this.width = HIGH * aspect;
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${HIGH}`);
    this.render();
  }

  units([x, y]) { return [x * this.width, y * HIGH]; }
  points(corners) { return corners.map((corner) => this.units(corner).map((each) => each.toFixed(1)).join(",")).join(" "); }
  get unit() { return HIGH / (this.svg.clientHeight || HIGH); } // a pixel of the screen

  at(event) {
    const box = this.svg.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  // -- drawing a new one --

  begin() {
    this.drawing = [];
    this.svg.classList.add("drawing");
    this.svg.focus();
    this.onDrawing(true);
    this.tell("Click or tap the corners one after the other; the first one again, or Enter, closes the zone. Escape stops.");
    this.render();
  }

  stop(keep) {
    const corners = this.drawing;
    this.drawing = undefined;
    this.svg.classList.remove("drawing");
    this.onDrawing(false);
    if (keep && corners.length >= 3) {
      this.draft.addZone(corners);
      this.tell(crosses(corners) ? "The sides of this zone cross: move its corners until they do not." : `A zone of ${corners.length} corners. Give it a name.`);
    } else {
      this.tell(keep ? "A zone has three corners at least: nothing was drawn." : "Nothing was drawn.");
      this.render();
    }
  }

  #point(event) {
    const at = this.at(event);
    if (this.drawing.length >= 3) {
      const [x, y] = this.units(this.drawing[0]), [px, py] = this.units(at);
      if (Math.hypot(x - px, y - py) < CLOSE_PX * this.unit) return this.stop(true);
    }
    this.drawing.push(at);
    this.tell(`Corner ${this.drawing.length}: ${place(at)}`);
    return this.render();
  }

  // -- pointers --

  #down(event) {
    if (event.button > 0 || this.grip) return;
    if (this.drawing) {
      event.preventDefault();
      this.#point(event);
      return;
    }
    const handle = event.target.closest("[data-zone]");
    if (!handle) return;
    event.preventDefault();
    const { zone: id, corner, side } = handle.dataset;
    this.select(id);
    let at = corner === undefined ? undefined : Number(corner);
    if (side !== undefined) {
      this.draft.addCorner(id, Number(side), this.at(event));
      at = Number(side) + 1;
    }
    this.#handle(id, at)?.focus();
    this.svg.setPointerCapture(event.pointerId);
    this.grip = { id, corner: at, pointer: event.pointerId, from: this.at(event), corners: structuredClone(this.draft.zone.corners), key: `drag ${performance.now()}` };
  }

  #move(event) {
    if (this.drawing?.length) this.#rubber(this.at(event));
    const { grip } = this;
    if (!grip || event.pointerId !== grip.pointer) return;
    const [x, y] = this.at(event);
    const [dx, dy] = [x - grip.from[0], y - grip.from[1]];
    if (!grip.moved && Math.hypot(dx * this.width, dy * HIGH) < 3 * this.unit) return;
    grip.moved = true;
    // one step of undo, however long it takes
    this.draft.lastMs = performance.now();
    if (grip.corner === undefined) this.draft.moveZone(grip.id, grip.corners, [dx, dy], grip.key);
    else this.draft.moveCorner(grip.id, grip.corner, [grip.corners[grip.corner][0] + dx, grip.corners[grip.corner][1] + dy], grip.key);
    this.#tellPlace(grip.id, grip.corner);
  }

  #up(event) {
    if (this.grip?.pointer === event.pointerId) this.grip = undefined;
  }

  // -- keys --

  #key(event) {
    if (this.drawing) {
      if (event.key === "Enter" || event.key === "Escape") {
        event.preventDefault();
        this.stop(event.key === "Enter");
      } else if (event.key === "Backspace" && this.drawing.length) {
        event.preventDefault();
        this.drawing.pop();
        this.render();
      }
      return;
    }
    const handle = event.target.closest("[data-zone]");
    if (!handle || event.ctrlKey || event.metaKey || event.altKey) return;
    const { zone: id, corner } = handle.dataset;
    const at = corner === undefined ? undefined : Number(corner);
    const step = ARROWS[event.key]?.map((each) => each * (event.shiftKey ? FINE_STEP : STEP));
    const { corners } = this.draft.now.zones.find((zone) => zone.id === id);
    if (step && at === undefined) this.draft.moveZone(id, structuredClone(corners), step, `keys ${id}`);
    else if (step) this.draft.moveCorner(id, at, [corners[at][0] + step[0], corners[at][1] + step[1]], `keys ${id} ${at}`);
    else if (event.key === "Delete" || event.key === "Backspace") this.remove(id, at);
    else if ((event.key === "Insert" || event.key === "+") && at !== undefined) this.addAfter(id, at);
    else if ((event.key === "Enter" || event.key === " ") && at === undefined) this.#handle(id, 0)?.focus();
    else return;
    event.preventDefault();
    if (step) this.#tellPlace(id, at);
  }

  remove(id, corner) {
    if (corner === undefined) {
      this.draft.removeZone(id);
      this.tell("The zone is gone. Undo brings it back.");
    } else if (this.draft.removeCorner(id, corner)) {
      this.#handle(id, Math.max(corner - 1, 0))?.focus();
      this.tell("The corner is gone.");
    } else {
      this.tell("A zone has three corners at least.");
    }
  }

  addAfter(id, corner) {
    this.draft.addCorner(id, corner);
    this.#handle(id, corner + 1)?.focus();
    this.tell("A corner was added.");
  }

  #tellPlace(id, corner) {
    const { corners, name } = this.draft.now.zones.find((zone) => zone.id === id);
    this.tell(corner === undefined ? `${name}: first corner ${place(corners[0])}` : `Corner ${corner + 1} of ${name}: ${place(corners[corner])}`);
  }

  // -- what is shown --

  select(id) {
    if (this.draft.selected === id) return;
    this.draft.selected = id;
    this.render();
    this.onSelect();
  }

  #focused(target) {
    const handle = target.closest?.("[data-zone]");
    this.focusedCorner = handle?.dataset.corner === undefined ? undefined : { id: handle.dataset.zone, corner: Number(handle.dataset.corner) };
    if (handle && !this.drawing) this.select(handle.dataset.zone);
  }

  #handle(id, corner) {
    const chosen = corner === undefined ? `:not([data-corner]):not([data-side])` : `[data-corner="${corner}"]`;
    return this.svg.querySelector(`[data-zone="${id}"]${chosen}`);
  }

  #rubber(to) {
    this.layers.sketch.querySelector(".rubber")?.setAttribute("points", this.points([this.drawing.at(-1), to]));
  }

  render() {
    if (!this.layers) return;
    const { zones } = this.draft.now, { selected } = this.draft;
    this.#reconcile(this.layers.zones, zones.map((zone) => {
      const label = `Zone ${zone.name}, ${zone.corners.length} corners${crosses(zone.corners) ? ", its sides cross" : ""}`;
      return {
        key: zone.id, tag: "polygon", attributes: {
          class: `zone${zone.id === selected ? " selected" : ""}${crosses(zone.corners) ? " wrong" : ""}`, points: this.points(zone.corners),
          "data-zone": zone.id, tabindex: this.drawing ? -1 : 0, role: "button", "aria-pressed": zone.id === selected, "aria-label": label,
        },
      };
    }));
    const zone = this.drawing ? undefined : this.draft.zone;
    this.#reconcile(this.layers.handles, zone ? [...this.#corners(zone), ...this.#sides(zone), ...this.#name(zone)] : []);
    this.layers.sketch.replaceChildren();
    if (this.drawing) {
      this.layers.sketch.append(shape("polyline", { class: "line", points: this.points(this.drawing) }), shape("polyline", { class: "rubber", points: "" }));
      this.drawing.forEach((corner, number) => {
        const [cx, cy] = this.units(corner);
        this.layers.sketch.append(shape("circle", { class: number ? "dot" : "dot first", cx, cy, r: (number ? 5 : 8) * this.unit }));
      });
    }
  }

  #corners(zone) {
    return zone.corners.map((corner, number) => {
      const [cx, cy] = this.units(corner);
      return {
        key: `c${number}`, tag: "circle", attributes: {
          class: "corner", cx, cy, r: 8 * this.unit, "data-zone": zone.id, "data-corner": number, tabindex: 0, role: "button",
          "aria-label": `Corner ${number + 1} of ${zone.corners.length} of ${zone.name}: ${place(corner)}`, "aria-describedby": "keys",
        },
      };
    });
  }

  // Halfway along a side: dragging it makes a corner. The keyboard has its own way.
  #sides(zone) {
    return zone.corners.map(([x, y], number) => {
      const [x2, y2] = zone.corners[(number + 1) % zone.corners.length];
      const [cx, cy] = this.units([(x + x2) / 2, (y + y2) / 2]);
      return { key: `s${number}`, tag: "circle", attributes: { class: "side", cx, cy, r: 6 * this.unit, "data-zone": zone.id, "data-side": number, "aria-hidden": true } };
    });
  }

  #name(zone) {
    const [x, y] = this.units(zone.corners.reduce((top, corner) => (corner[1] < top[1] ? corner : top)));
    const size = 14 * this.unit;
    const attributes = { class: "name", x, y: Math.max(y - 12 * this.unit, size), "font-size": size, "aria-hidden": true };
    return [{ key: "name", tag: "text", attributes, text: zone.name }];
  }

  // Elements keep their place in the page, and so focus and pointer.
  #reconcile(layer, wanted) {
    const there = new Map([...layer.children].map((element) => [element.dataset.key, element]));
    for (const { key, tag, attributes, text } of wanted) {
      const element = there.get(key) ?? layer.appendChild(shape(tag, { "data-key": key }));
      there.delete(key);
      for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
      if (text !== undefined && element.textContent !== text) element.textContent = text;
    }
    there.forEach((element) => element.remove());
  }
}

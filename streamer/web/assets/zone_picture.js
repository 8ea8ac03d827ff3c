// The camera's picture behind the zones: live, or as it was at a moment of the last minute that this page has seen.
import { shape } from "/assets/zone_canvas.js";

const PERIOD_MS = 600;
const KEPT_MS = 65_000;
const KEPT_EVERY_MS = 400;
const NEAR_MS = 1500; // a picture this far from a moment still shows it

export class Picture {
  constructor(canvas, waiting, overlay, camera) {
    Object.assign(this, { canvas, waiting, overlay, camera });
    this.kept = [];
    this.moment = undefined;
    this.anchor = "feet";
    this.#keepShowing();
  }

  // The picture nearest to a moment (ms); null: live again. Returns whether there is one.
  async show(moment) {
    this.moment = moment ?? undefined;
    if (this.moment === undefined) {
      this.at = undefined;
      return true;
    }
    const near = this.kept.reduce((best, each) => (Math.abs(each.ms - moment) < Math.abs((best?.ms ?? 0) - moment) ? each : best), undefined);
    if (!near || Math.abs(near.ms - moment) > NEAR_MS) {
      this.moment = undefined;
      return false;
    }
    await this.#draw(near.blob);
    this.#people([]);
    return true;
  }

  async #draw(blob) {
    const bitmap = await createImageBitmap(blob);
    const { canvas } = this;
    if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
      canvas.width = bitmap.width;
      canvas.height = bitmap.height;
      this.overlay.setAspect(bitmap.width / bitmap.height);
    }
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    bitmap.close();
    this.waiting.hidden = true;
  }

  // Those of whom a rule asks something, each with the point that has to lie in the zone.
  #people(people) {
    const { layers, unit } = this.overlay;
    layers.people.replaceChildren(...people.flatMap(({ box_xyxy: body, head_xyxy: head }) => {
      const [x, y] = this.overlay.units(body), [right, bottom] = this.overlay.units(body.slice(2));
      const [x1, y1, x2, y2] = this.anchor === "head" ? head ?? body : body;
      const [cx, cy] = this.overlay.units([(x1 + x2) / 2, this.anchor === "feet" ? y2 : (y1 + y2) / 2]);
      return [shape("rect", { x, y, width: right - x, height: bottom - y }), shape("circle", { cx, cy, r: 5 * unit })];
    }));
  }

  async #look() {
    const answer = await fetch(`/api/live?camera=${encodeURIComponent(this.camera)}`, { cache: "no-store", signal: AbortSignal.timeout(5000) });
    const [look] = answer.ok ? await answer.json() : [];
    if (!look && this.moment === undefined) await this.#tellWhy();
    if (!look || look.at === this.at) return;
    const picture = await fetch(`/api/live/${encodeURIComponent(this.camera)}/picture?at=${encodeURIComponent(look.at)}`, { cache: "no-store", signal: AbortSignal.timeout(5000) });
    if (!picture.ok) return;
    const blob = await picture.blob(), ms = Date.parse(look.at);
    this.at = look.at;
    if (ms - (this.kept.at(-1)?.ms ?? 0) >= KEPT_EVERY_MS) this.kept.push({ ms, blob });
    this.kept = this.kept.filter((each) => each.ms > ms - KEPT_MS);
    if (this.moment === undefined) {
      await this.#draw(blob);
      this.#people(look.people);
    }
  }

  // Nothing comes from the camera: the last picture stays, to draw on, and says that it is old.
  async #tellWhy() {
    const answer = await fetch("/api/cameras", { cache: "no-store", signal: AbortSignal.timeout(5000) });
    const { state, reason } = (answer.ok ? await answer.json() : []).find(({ camera }) => camera === this.camera) ?? {};
    if (!state) return;
    const why = state === "online" ? "Waiting for a picture" : reason || state;
    this.waiting.textContent = this.at && state !== "online" ? `This picture is old. ${why}` : why;
    this.waiting.hidden = false;
    this.#people([]);
  }

  async #keepShowing() {
    try {
      if (!document.hidden) await this.#look();
    } catch {
      // the page says so where it matters: when something is tried or saved
    }
    setTimeout(() => this.#keepShowing(), PERIOD_MS);
  }
}

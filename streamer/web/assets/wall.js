// Live pictures of the cameras that are on the screen, with the people of whom a rule asks something drawn over them.
const PERIOD_MS = 500;
const SVG = "http://www.w3.org/2000/svg";
const SIDE = 1000; // the overlay's own coordinates, over the whole picture
const STATES = ["missing", "incorrect", "unknown", "worn"]; // the first that somebody has decides the colour

const tiles = new Map([...document.querySelectorAll("[data-camera]")].map((tile) => [tile.dataset.camera, tile]));
const visible = new Set();

const observer = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    const camera = entry.target.dataset.camera;
    if (entry.isIntersecting) visible.add(camera);
    else visible.delete(camera);
  }
});
tiles.forEach((tile) => observer.observe(tile));

function shape(name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

function boxed([x1, y1, x2, y2]) {
  return { x: x1 * SIDE, y: y1 * SIDE, width: (x2 - x1) * SIDE, height: (y2 - y1) * SIDE };
}

function stateOf(person) {
  const states = Object.values(person.gear).map((gear) => gear.state);
  return STATES.find((state) => states.includes(state)) ?? "unknown";
}

function words(person) {
  const gear = Object.entries(person.gear).map(([name, known]) => `${name.replaceAll("_", " ")} ${known.state}`);
  return gear.join(", ") || "nothing required";
}

function draw(tile, look) {
  const overlay = tile.querySelector(".view svg"), labels = tile.querySelector(".labels:not(.names)");
  overlay.querySelectorAll(".person").forEach((group) => group.remove());
  labels.replaceChildren();
  for (const person of look.people) {
    const group = shape("g", { class: `person ${stateOf(person)}${person.alert ? " alert" : ""}` });
    group.append(shape("rect", boxed(person.box_xyxy)));
    if (person.head_xyxy) {
      const [left, top] = person.head_xyxy;
      group.append(shape("rect", { ...boxed(person.head_xyxy), class: "head" }));
      labels.append(shape("text", { x: `${left * 100}%`, y: `${top * 100}%`, dy: -4 }, `${Math.round(person.head_px)}`));
    }
    overlay.append(group);
  }
  const people = look.people.map((person) => words(person) + (person.alert ? " (alert)" : ""));
  tile.querySelector(".people").textContent = people.length ? people.join(" · ") : "nobody of whom a rule asks something";
}

async function show(look) {
  const tile = tiles.get(look.camera);
  if (!tile || tile.dataset.at === look.at) return;
  const path = `/api/live/${encodeURIComponent(look.camera)}/picture?at=${encodeURIComponent(look.at)}`;
  const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(5000) });
  if (!answer.ok) return;
  // onto a canvas: a browser that is left open keeps the pictures of elements that it has long replaced
  const next = await createImageBitmap(await answer.blob());
  const canvas = tile.querySelector("canvas");
  if (canvas.width !== next.width || canvas.height !== next.height) {
    canvas.width = next.width;
    canvas.height = next.height;
  }
  canvas.getContext("2d", { alpha: false }).drawImage(next, 0, 0);
  next.close();
  tile.dataset.at = look.at;
  canvas.hidden = false;
  tile.querySelector(".waiting").hidden = true;
  draw(tile, look);
}

// the words and colours of the states, as the server has them
const TONES = { online: "good", connecting: "busy", stalled: "bad", refused: "bad", disabled: "off" };

function tell({ camera, state, reason }) {
  const tile = tiles.get(camera);
  if (!tile) return;
  const pill = tile.querySelector("[data-state]");
  pill.textContent = state;
  pill.className = `pill ${TONES[state] ?? "busy"}`;
  const waiting = tile.querySelector(".waiting");
  waiting.textContent = state === "online" ? "Waiting for a picture" : reason || state;
  if (state !== "online") {
    // an old picture must not pass for the present
    tile.querySelector("canvas").hidden = true;
    waiting.hidden = false;
    delete tile.dataset.at;
    draw(tile, { people: [] });
    // that nobody can be seen is not that nobody is there
    tile.querySelector(".people").textContent = "\u00a0";
  }
}

// Cameras and zones of the settings in force, as page.js keeps them; the tiles were made of them.
const layout = () => document.querySelector("[data-layout]")?.dataset.layout;
const shownLayout = layout();

async function keepTelling() {
  try {
    if (!document.hidden) {
      if (layout() !== shownLayout) location.reload();
      const answer = await fetch("/api/cameras", { cache: "no-store", signal: AbortSignal.timeout(5000) });
      if (answer.ok) (await answer.json()).forEach(tell);
    }
  } catch {
    // the page's own refresh says that the server does not answer
  }
  setTimeout(keepTelling, 2000);
}

async function keepShowing() {
  try {
    if (!document.hidden && visible.size) {
      const query = [...visible].map((camera) => `camera=${encodeURIComponent(camera)}`).join("&");
      const answer = await fetch(`/api/live?${query}`, { cache: "no-store", signal: AbortSignal.timeout(5000) });
      if (answer.ok) await Promise.allSettled((await answer.json()).map(show));
    }
  } catch {
    // the page's own refresh says that the server does not answer
  }
  setTimeout(keepShowing, PERIOD_MS);
}
keepShowing();
keepTelling();

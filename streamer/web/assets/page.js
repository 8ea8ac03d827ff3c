"use strict";
// Replaces the changing part of the page every two seconds while the page is visible.
const overview = document.getElementById("overview");
const offline = document.getElementById("offline");
const PERIOD_MS = 2000;

async function refresh() {
  try {
    const answer = await fetch("/api/overview", { cache: "no-store", signal: AbortSignal.timeout(10000) });
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    const html = await answer.text();
    const focused = document.activeElement?.id;
    const fresh = document.createElement("main");
    fresh.innerHTML = html;
    // a picture that is still the same keeps its element, or it would flicker
    const shown = new Map([...overview.querySelectorAll("img")].map((image) => [image.src, image]));
    for (const image of fresh.querySelectorAll("img")) {
      const same = shown.get(image.src);
      if (same) image.replaceWith(same);
    }
    overview.replaceChildren(...fresh.children);
    if (focused && document.activeElement?.id !== focused) document.getElementById(focused)?.focus();
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

// A list whose rows are moved with a handle: by dragging, and by the arrow keys.

const KEPT_AFTER_MS = 600;

// `moved(row, place, places)` says each step, `done()` when the new order stands. Returns whether a row is on its way.
export function sortable(list, { moved, done }) {
  let dragged = null;
  let timer = 0;

  const later = (waitMs) => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      timer = 0;
      done();
    }, waitMs);
  };
  // The neighbour moves: a row that left the document would lose its focus and its pointer.
  const step = (row, down) => {
    const other = down ? row.nextElementSibling : row.previousElementSibling;
    if (!other) return false;
    if (down) row.before(other);
    else row.after(other);
    moved(row, [...list.children].indexOf(row) + 1, list.children.length);
    return true;
  };
  list.addEventListener("pointerdown", (event) => {
    const handle = event.target.closest(".handle");
    if (!handle || event.button) return;
    dragged = handle.closest("li");
    dragged.classList.add("dragged");
    handle.setPointerCapture(event.pointerId);
  });
  list.addEventListener("pointermove", ({ clientY }) => {
    if (!dragged) return;
    const middle = (row) => row.getBoundingClientRect().top + row.offsetHeight / 2;
    while (dragged.nextElementSibling && clientY > middle(dragged.nextElementSibling)) step(dragged, true);
    while (dragged.previousElementSibling && clientY < middle(dragged.previousElementSibling)) step(dragged, false);
  });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"])
    list.addEventListener(end, () => {
      if (!dragged) return;
      dragged.classList.remove("dragged");
      dragged = null;
      later(0);
    });
  list.addEventListener("keydown", (event) => {
    const row = event.target.closest(".handle")?.closest("li");
    if (!row || !["ArrowUp", "ArrowDown"].includes(event.key)) return;
    event.preventDefault();
    if (step(row, event.key === "ArrowDown")) later(KEPT_AFTER_MS);
  });
  return () => dragged !== null || timer !== 0;
}

// Which part of the page is seen: one on a phone, two on a tablet, three beside each other on a large screen.

import { byId, remember, remembered } from "./elements.js";

const WIDE = matchMedia("(min-width: 75rem)");
const MEDIUM = matchMedia("(min-width: 48rem)");

export function showViews() {
  const tabs = [...byId("tabs").querySelectorAll("button")];
  let chosen = remembered("view") || "live";
  const show = () => {
    // Beside the others, the live view and on a large screen the scenes are always there.
    const always = WIDE.matches ? ["live", "scenes"] : MEDIUM.matches ? ["live"] : [];
    const view = always.includes(chosen) ? "parameters" : chosen;
    document.body.dataset.view = view;
    for (const tab of tabs) {
      if (tab.dataset.view === view) tab.setAttribute("aria-current", "page");
      else tab.removeAttribute("aria-current");
    }
  };
  for (const tab of tabs)
    tab.addEventListener("click", () => {
      chosen = tab.dataset.view;
      remember("view", chosen);
      show();
      byId("main").scrollTo(0, 0);
    });
  WIDE.addEventListener("change", show);
  MEDIUM.addEventListener("change", show);
  show();
}

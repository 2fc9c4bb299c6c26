// Loads the page again where one of its files did not arrive. No module, since it must run where a module is what is missing.

const LOADS_AGAIN_AFTER_MS = 2000;
let loadsAgain = 0;

addEventListener(
  "error",
  ({ target }) => {
    if (!(target instanceof HTMLScriptElement || target instanceof HTMLLinkElement) || loadsAgain) return;
    loadsAgain = setTimeout(() => location.reload(), LOADS_AGAIN_AFTER_MS);
    const banner = document.getElementById("banner");
    if (!banner) return;
    banner.hidden = false;
    document.getElementById("banner-retry").hidden = true;
    document.getElementById("banner-text").textContent = "A part of this page did not arrive; the page loads again by itself. If that goes on, let this browser keep cookies of this address.";
  },
  true,
);

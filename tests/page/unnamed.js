// What can be used or seen, and has no name for who hears the page.
() => [...document.querySelectorAll("input, select, textarea, button, a[href], [role=img], [role=meter], canvas")]
  .filter((one) => one.checkVisibility() && !one.closest("[role=img]:not(:scope)"))
  .filter((one) => one.tagName !== "CANVAS" && !one.closest(".chart *"))
  .filter((one) => !(one.getAttribute("aria-label") || one.labels?.length && [...one.labels].some((l) => l.textContent.trim())
    || one.textContent.trim() && one.tagName !== "SELECT" && one.tagName !== "TEXTAREA"))
  .map((one) => one.outerHTML.slice(0, 120))

// Elements of a figure that carry a text show it where they are pointed at or reached by keyboard: a figure is
// one stop of the tab key, arrow keys go from element to element, Escape hides the text.
document.addEventListener("DOMContentLoaded", () => {
  const box = document.createElement("div");
  box.className = "hover-text";
  box.hidden = true;
  box.setAttribute("aria-hidden", "true"); // a screen reader has the element's own label
  document.body.append(box);
  const show = (element) => {
    const place = element.getBoundingClientRect();
    box.textContent = element.getAttribute("aria-label");
    box.hidden = false;
    const right = document.documentElement.clientWidth - box.offsetWidth - 4;
    box.style.left = `${scrollX + Math.max(4, Math.min(place.left, right))}px`;
    box.style.top = `${scrollY + Math.max(4 - scrollY, place.top - box.offsetHeight - 6)}px`;
  };
  const hide = () => (box.hidden = true);
  const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
  for (const figure of document.querySelectorAll(".fer-figure")) {
    const elements = [...figure.querySelectorAll(".hover")];
    elements.forEach((element, place) => {
      element.querySelector("title")?.remove(); // the browser would show it too
      element.setAttribute("tabindex", place ? "-1" : "0");
      element.addEventListener("pointerenter", () => show(element));
      element.addEventListener("pointerleave", hide);
      element.addEventListener("focus", () => show(element));
      element.addEventListener("blur", hide);
      element.addEventListener("keydown", (event) => {
        const next = elements[place + steps[event.key]];
        if (!next) return;
        event.preventDefault();
        element.setAttribute("tabindex", "-1");
        next.setAttribute("tabindex", "0");
        next.focus();
      });
    });
  }
  document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
});

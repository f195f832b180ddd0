// Elements of a figure that carry a text show it where they are pointed at or reached by keyboard: a figure is
// one stop of the tab key, arrow keys go from element to element, Escape hides the text. Links to a word of the
// glossary show what it means, links to a figure the figure.
document.addEventListener("DOMContentLoaded", () => {
  const box = globalThis.suite.node("div", { className: "hover-text", hidden: true });
  box.setAttribute("aria-hidden", "true"); // a screen reader has the element's own label
  document.body.append(box);
  const put = (element, content) => {
    const place = element.getBoundingClientRect();
    box.replaceChildren(content);
    box.hidden = false;
    const right = document.documentElement.clientWidth - box.offsetWidth - 4;
    box.style.left = `${scrollX + Math.max(4, Math.min(place.left, right))}px`;
    box.style.top = `${scrollY + Math.max(4 - scrollY, place.top - box.offsetHeight - 6)}px`;
  };
  const hide = () => {
    box.hidden = true;
  };
  const onceReached = (element, told) => {
    for (const event of ["pointerenter", "focus"]) element.addEventListener(event, told);
    for (const event of ["pointerleave", "blur"]) element.addEventListener(event, hide);
  };
  for (const link of document.querySelectorAll("article a[data-told]")) {
    onceReached(link, () => put(link, link.dataset.told));
  }
  for (const link of document.querySelectorAll('article a[href*="#figure-"]')) {
    const name = link.hash.replace("#figure-", "");
    const picture = Object.assign(new Image(), { alt: "" });
    picture.onload = () => link.matches(":hover, :focus") && put(link, picture);
    onceReached(link, () => {
      if (picture.src) put(link, picture);
      else picture.src = new URL(`figures/${name}.svg`, link.href);
    });
  }
  // In a figure the mark that is nearest tells its text, since many are smaller than a finger.
  const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
  const REACH = 14;
  for (const figure of document.querySelectorAll(".fer-figure > svg")) {
    const elements = [...figure.querySelectorAll(".hover")];
    const tell = (element) => put(element, element.getAttribute("aria-label"));
    elements.forEach((element, place) => {
      element.querySelector("title")?.remove(); // the browser would show it too
      element.setAttribute("tabindex", place ? "-1" : "0");
      element.addEventListener("focus", () => tell(element));
      element.addEventListener("blur", hide);
      element.addEventListener("keydown", (event) => {
        const next = elements[place + steps[event.key]];
        if (!next || event.altKey || event.ctrlKey || event.metaKey) return;
        event.preventDefault();
        element.setAttribute("tabindex", "-1");
        next.setAttribute("tabindex", "0");
        next.focus();
      });
    });
    figure.addEventListener("pointermove", ({ clientX, clientY }) => {
      const beyond = (low, place, high) => Math.max(low - place, 0, place - high);
      const away = elements.map((element) => {
        const { left, right, top, bottom } = element.getBoundingClientRect();
        return Math.hypot(beyond(left, clientX, right), beyond(top, clientY, bottom));
      });
      const least = Math.min(...away);
      if (least < REACH) tell(elements[away.indexOf(least)]);
      else hide();
    });
    figure.addEventListener("pointerleave", hide);
  }
  document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
});

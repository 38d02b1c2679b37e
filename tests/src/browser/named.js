(css, name) => {
  // The parts of the computation of accessible names that our pages use.
  const nameOf = (element) => {
    const label = element.getAttribute("aria-label");
    if (label) return label;
    const by = element.getAttribute("aria-labelledby");
    if (by) return by.split(" ").map((id) => document.getElementById(id)?.textContent ?? "").join(" ");
    if (element.labels?.length) return [...element.labels].map((one) => (one.querySelector("span") ?? one).textContent).join(" ");
    return element.textContent;
  };
  const plain = (text) => text.replace(/\s+/g, " ").trim();
  return [...document.querySelectorAll(css)].find((element) => element.getClientRects().length > 0 && plain(nameOf(element)) === name);
}

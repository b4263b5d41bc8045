// Before and after: two pictures on top of each other, and a range that divides them.

function slider(before, after) {
  return divided(
    make("img", { src: before.src, alt: before.alt, class: "before", decoding: "async" }),
    make("img", { src: after.src, alt: after.alt, class: "after", decoding: "async" }));
}

/** Two elements of the classes `before` and `after`, divided by a range. */
function divided(before, after) {
  const range = make("input", {
    type: "range", min: 0, max: 100, value: 50, step: 1, class: "divide",
    "aria-label": "Compare: how much of the content is shown",
  });
  const box = make("div", { class: "compare" },
    after,
    before,
    make("span", { class: "tag left", "aria-hidden": "true" }, "Content"),
    make("span", { class: "tag right", "aria-hidden": "true" }, "Result"),
    range,
    make("span", { class: "line", "aria-hidden": "true" }));
  const show = () => {
    box.style.setProperty("--at", `${range.value}%`);
    range.setAttribute("aria-valuetext", `${range.value} % content, ${100 - range.value} % result`);
    box.classList.toggle("at-left", range.value < 14);
    box.classList.toggle("at-right", range.value > 86);
  };
  range.addEventListener("input", show);
  show();
  return box;
}

// Click a picture to enlarge it; click it again or press Escape to close.
const viewer = document.querySelector("dialog");
const enlarged = viewer.querySelector("img");
for (const button of document.querySelectorAll("button.picture")) {
  button.addEventListener("click", () => {
    const picture = button.querySelector("img");
    enlarged.src = picture.src;
    enlarged.alt = picture.alt;
    viewer.showModal();
  });
}
viewer.addEventListener("click", () => viewer.close());

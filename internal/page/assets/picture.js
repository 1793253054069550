// Shows a chosen picture before it is uploaded, as the square that it will be. A file
// that is larger than the server takes is made smaller first.
for (const input of document.querySelectorAll("[data-preview]")) {
  input.addEventListener("change", async () => {
    const file = input.files[0];
    if (!file) return;
    let image;
    try {
      image = await createImageBitmap(file);
    } catch {
      return; // the server tells what is wrong with it
    }
    const side = Math.min(image.width, image.height);
    const draw = (canvas, size) => {
      canvas.width = canvas.height = size;
      canvas.getContext("2d").drawImage(image, (image.width - side) / 2, (image.height - side) / 2, side, side, 0, 0, size, size);
      return canvas;
    };
    const old = document.getElementById(input.dataset.preview);
    const shown = draw(document.createElement("canvas"), 192);
    shown.id = old.id;
    shown.className = "preview";
    shown.setAttribute("role", "img");
    shown.setAttribute("aria-label", file.name);
    old.replaceWith(shown);
    if (file.size > 2 << 20 || Math.max(image.width, image.height) > 4096) {
      draw(document.createElement("canvas"), 512).toBlob((blob) => {
        const smaller = new DataTransfer();
        smaller.items.add(new File([blob], "picture.png", { type: "image/png" }));
        input.files = smaller.files;
        input.dataset.fits = "";
      }, "image/png");
    }
  });
}

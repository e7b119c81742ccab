"use strict";
// Redoc loads its logo from another host, and has no option to leave it out: block images of other origins.
const picture = HTMLImageElement.prototype;
const source = Object.getOwnPropertyDescriptor(picture, "src");
const isForeign = (value) => {
  const { protocol, origin } = new URL(value, location);
  return /^https?:$/.test(protocol) && origin !== location.origin;
};
Object.defineProperty(picture, "src", { ...source, set(value) { if (!isForeign(value)) source.set.call(this, value); } });
picture.setAttribute = function (name, value) {
  if (name === "src" && isForeign(value)) this.hidden = true;
  else Element.prototype.setAttribute.call(this, name, value);
};
const box = document.getElementById("redoc");
Redoc.init(box.dataset.schema, { hideLoading: true, nativeScrollbars: true }, box);

"use strict";
// Redoc shows a logo that it loads from a host of its makers, and no option leaves it out: pictures come from here alone.
const setAttribute = HTMLImageElement.prototype.setAttribute;
HTMLImageElement.prototype.setAttribute = function (name, value) {
  const isForeign = name === "src" && /^https?:$/.test(new URL(value, location).protocol)
    && new URL(value, location).origin !== location.origin;
  if (!isForeign) setAttribute.call(this, name, value);
};
const box = document.getElementById("redoc");
Redoc.init(box.dataset.schema, { hideLoading: true, nativeScrollbars: true }, box);

"use strict";
const box = document.getElementById("redoc");
Redoc.init(box.dataset.schema, { hideLoading: true, nativeScrollbars: true }, box);

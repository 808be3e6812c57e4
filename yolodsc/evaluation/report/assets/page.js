"use strict";
/* The order of the sections. */

const TITLES = { evaluation: "Evaluation", comparison: "Comparison", detections: "Detections", audit: "Audit" };

document.title = `${TITLES[data.kind]}: ${data.title}`;
document.getElementById("title").append(TITLES[data.kind], el("small", { text: data.title }));
if (data.kind === "evaluation") {
  const gallery = {};
  const position = (name) => { const index = data.names.indexOf(name); return index < 0 ? null : index; };
  const show = (truth, found) => {
    if (truth === found) gallery.show("right", position(found));
    else if (truth === "background") gallery.show("background", position(found));
    else if (found === "missed") gallery.show("missed", position(truth));
    else gallery.show("classification", position(found));
  };
  verdictSection();
  if (data.comparison) comparisonSection();
  classesSection();
  curvesSection();
  errorsSection(show);
  gallery.show = gallerySection();
  if (data.notes.length) notesSection();
}
if (data.kind === "comparison") comparisonSection();
if (data.kind === "detections") gallerySection();
if (data.kind === "audit") auditSection();
document.documentElement.dataset.ready = "yes";

// Fills the light-curve panel with the supernova selected in `stars`.
// Arguments: stars, epochs, curves, curve_band, points, lines, flux, pull, diagram, bands, band_colors,
// band_markers, band_rank, grid.
const chosen = stars.selected.indices;
if (chosen.length === 0) {
  return;
}
const i = chosen[0];
const star = (name) => stars.data[name][i];
const origin = star("origin");

const shown = {
  mjd: [], flux: [], low: [], high: [], pull: [], pull_low: [], pull_high: [],
  flux_err: [], band: [], color: [], marker: [],
};
const own = Array.from({length: star("end_epoch") - star("first_epoch")}, (_, m) => m);
const order = own.map((m) => m + star("first_epoch"));
order.sort((j, k) => band_rank[epochs.data.band[j]] - band_rank[epochs.data.band[k]]);
for (const j of order) {
  const value = epochs.data.flux[j];
  const err = epochs.data.flux_err[j];
  const pull_value = (value - epochs.data.model[j]) / err;
  const band = epochs.data.band[j];
  shown.mjd.push(origin + epochs.data.time[j]);
  shown.flux.push(value);
  shown.flux_err.push(err);
  shown.low.push(value - err);
  shown.high.push(value + err);
  shown.pull.push(pull_value);
  shown.pull_low.push(pull_value - 1);
  shown.pull_high.push(pull_value + 1);
  shown.band.push(bands[band]);
  shown.color.push(band_colors[band]);
  shown.marker.push(band_markers[band]);
}

const drawn = {xs: [], ys: [], color: []};
const [start, stop] = [star("start"), star("stop")];
for (let k = star("first_curve"); k < star("end_curve"); k++) {
  const ys = Array.from(curves.data.flux.slice(k * grid.length, (k + 1) * grid.length));
  drawn.xs.push(grid.map((fraction) => origin + start + (stop - start) * fraction));
  drawn.ys.push(ys);
  drawn.color.push(band_colors[curve_band[k]]);
}

let [low_mjd, high_mjd] = [origin + start, origin + stop];
if (!isFinite(low_mjd)) {
  low_mjd = Math.min(...shown.mjd);
  high_mjd = Math.max(...shown.mjd);
}
const margin = 0.06 * (high_mjd - low_mjd) + 1;
const inside = (_, j) => shown.mjd[j] > low_mjd - margin && shown.mjd[j] < high_mjd + margin;
const tops = [0, ...shown.high.filter(inside), ...drawn.ys.flat()].filter(isFinite);
const bottoms = [0, ...shown.low.filter(inside), ...drawn.ys.flat()].filter(isFinite);
const [top, bottom] = [Math.max(...tops), Math.min(...bottoms)];
const pulls = shown.pull.filter(inside).filter(isFinite).map(Math.abs);
const reach = 1.2 * Math.max(3, ...pulls.map((value) => value + 1));

flux.x_range.setv({start: low_mjd - margin, end: high_mjd + margin});
flux.y_range.setv({
  start: bottom - 0.06 * (top - bottom), end: top + 0.1 * (top - bottom),
});
pull.y_range.setv({start: -reach, end: reach});
points.data = shown;
lines.data = drawn;

for (const [place, column] of [["selected-name", "sn"], ["selected-facts", "facts"]]) {
  const element = document.getElementById(place);
  if (element !== null) {
    element.textContent = star(column);
  }
}
const row = star("diagram_row");
if (diagram !== null) {
  const now = diagram.selected.indices;
  if (row < 0) {
    diagram.selected.indices = [];
  } else if (now.length !== 1 || now[0] !== row) {
    diagram.selected.indices = [row];
  }
}

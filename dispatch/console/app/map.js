// A map of areas: H3 cells, pins of visits and the provider's own zone, drawn from data alone; no tile of anybody is loaded.

const KNOWN = new Map(); // cell -> { ring, around }
const EDGE = 26; // pixels kept free around what is shown
const SIDES = 72; // of a circle
const ZONE_MOST = 2.5; // a zone so many times larger than the places in it is not shown whole

/** Web Mercator, in units of the equator's radius; y grows to the south. */
const project = ([lat, lng]) => [(lng * Math.PI) / 180, -Math.log(Math.tan(Math.PI / 4 + (lat * Math.PI) / 360))];

/** How wide a set of points is; of one, as wide as a cell. */
const size = (points) => Math.max(0.0005, ...[0, 1].map((axis) => Math.max(...points.map((p) => p[axis])) - Math.min(...points.map((p) => p[axis]))));

/** The outline of a cell, and of those around it. Null: it cannot be had now. */
async function outline(cell) {
  if (!KNOWN.has(cell)) {
    const answer = await fetch(`/app/cells/${encodeURIComponent(cell)}`).then((found) => found.json()).catch(() => ({}));
    if (!answer.ring) return null;
    KNOWN.set(cell, { ring: answer.ring.map(project), around: answer.around.map((near) => near.map(project)) });
  }
  return KNOWN.get(cell);
}

/** The corners of a zone, or null when it is a list of areas. */
function zoneRing(zone) {
  if (zone?.type === "polygon") return zone.coordinates.map(([lng, lat]) => project([lat, lng]));
  if (zone?.type !== "circle") return null;
  const [up, across] = [zone.radius_km / 111.195, zone.radius_km / (111.195 * Math.cos((zone.lat * Math.PI) / 180))];
  const turn = (side) => (side * 2 * Math.PI) / SIDES;
  return Array.from({ length: SIDES }, (_, side) => project([zone.lat + up * Math.sin(turn(side)), zone.lng + across * Math.cos(turn(side))]));
}

export class AreaMap {
  /** `choose(id)`: a cell was pointed at. */
  constructor(canvas, choose = () => {}) {
    this.canvas = canvas;
    this.areas = [];
    this.pins = [];
    this.zone = null;
    this.chosen = null;
    this.asked = 0;
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    canvas.addEventListener("click", (event) => {
      const found = this.areas.findLast(({ path }) => path && this.pen.isPointInPath(path, event.offsetX * this.ratio, event.offsetY * this.ratio));
      if (found) choose(found.id);
    });
  }

  /** `areas`: [{ id, h3, name }], `pins`: [{ lat, lng, name }], `zone`: the provider's own. */
  async show({ areas, pins = [], zone = null }, chosen = null) {
    const turn = ++this.asked;
    this.canvas.hidden = !areas.length && !pins.length;
    const outlines = await Promise.all(areas.map(({ h3 }) => (h3 ? outline(h3) : null)));
    if (turn !== this.asked) return;
    this.areas = areas.map((area, index) => ({ ...area, ...outlines[index] })).filter(({ ring }) => ring);
    this.pins = pins.map((pin) => ({ ...pin, at: project([pin.lat, pin.lng]) }));
    [this.zone, this.chosen] = [zoneRing(zone), chosen];
    this.draw();
  }

  choose(id) {
    if (this.chosen === id) return;
    this.chosen = id;
    this.draw();
  }

  #look(width, height) {
    const places = [...this.areas.flatMap(({ ring }) => ring), ...this.pins.map(({ at }) => at)];
    const points = this.zone && size(this.zone) < ZONE_MOST * size(places) ? [...places, ...this.zone] : places;
    const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
    const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const wide = Math.max(right - left, 0.0006); // some four kilometres: a lone pin needs ground around it
    const scale = Math.min((width - 2 * EDGE) / wide, (height - 2 * EDGE) / Math.max(bottom - top, 0.0006));
    return { x: (left + right) / 2, y: (top + bottom) / 2, scale };
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !height || !(this.areas.length || this.pins.length)) return;
    this.ratio = Math.min(3, devicePixelRatio || 1);
    [this.canvas.width, this.canvas.height] = [Math.round(width * this.ratio), Math.round(height * this.ratio)];
    this.pen = this.canvas.getContext("2d");
    this.pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    const style = getComputedStyle(document.documentElement);
    this.colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const view = this.#look(width, height);
    this.pixel = ([x, y]) => [(x - view.x) * view.scale + width / 2, (y - view.y) * view.scale + height / 2];
    this.#grid();
    this.#zone();
    for (const area of this.areas) this.#cell(area);
    for (const pin of this.pins) this.#pin(pin);
    this.#names(width, height);
    this.#scale(view, width, height);
  }

  #path(ring) {
    const path = new Path2D();
    ring.forEach((corner, index) => (index ? path.lineTo(...this.pixel(corner)) : path.moveTo(...this.pixel(corner))));
    path.closePath();
    return path;
  }

  /** The cells around, faint: they give the eye a measure. */
  #grid() {
    this.pen.strokeStyle = this.colour("line");
    this.pen.lineWidth = 1;
    for (const { around } of this.areas) for (const ring of around) this.pen.stroke(this.#path(ring));
  }

  #zone() {
    if (!this.zone) return;
    const path = this.#path(this.zone);
    this.pen.fillStyle = this.pen.strokeStyle = this.colour("reach");
    this.pen.globalAlpha = 0.07;
    this.pen.fill(path);
    this.pen.globalAlpha = 0.8;
    this.pen.setLineDash([5, 4]);
    this.pen.lineWidth = 1.5;
    this.pen.stroke(path);
    this.pen.setLineDash([]);
    this.pen.globalAlpha = 1;
  }

  #cell(area) {
    const chosen = area.id === this.chosen || this.areas.length === 1;
    area.path = this.#path(area.ring);
    this.pen.fillStyle = this.pen.strokeStyle = this.colour("accent");
    this.pen.globalAlpha = chosen ? 0.34 : 0.16;
    this.pen.fill(area.path);
    this.pen.globalAlpha = 1;
    this.pen.lineWidth = chosen ? 2.5 : 1.5;
    this.pen.stroke(area.path);
  }

  #pin({ at }) {
    const [x, y] = this.pixel(at);
    const { pen } = this;
    pen.fillStyle = this.colour("good");
    pen.strokeStyle = this.colour("panel");
    pen.lineWidth = 2;
    pen.beginPath();
    pen.arc(x, y - 15, 8, Math.PI * 0.85, Math.PI * 2.15);
    pen.lineTo(x, y);
    pen.closePath();
    pen.fill();
    pen.stroke();
  }

  #names(width, height) {
    const { pen } = this;
    pen.font = "600 12px system-ui, sans-serif";
    pen.textAlign = "center";
    pen.lineJoin = "round";
    pen.lineWidth = 4;
    pen.strokeStyle = this.colour("panel");
    pen.fillStyle = this.colour("ink");
    const written = [];
    const middle = (ring) => [0, 1].map((axis) => ring.reduce((sum, corner) => sum + corner[axis], 0) / ring.length);
    const places = [...this.areas.map(({ name, ring }) => [name, this.pixel(middle(ring)), 4]), ...this.pins.map(({ name, at }) => [name, this.pixel(at), 14])];
    for (const [name, [x, y], below] of places) {
      if (!name || written.some((other) => Math.hypot(other.x - x, (other.y - y) * 3) < 60)) continue;
      written.push({ x, y });
      const half = pen.measureText(name).width / 2 + 4;
      const [at, line] = [Math.min(Math.max(x, half), width - half), Math.min(y + below, height - 8)];
      pen.strokeText(name, at, line);
      pen.fillText(name, at, line);
    }
  }

  #scale(view, width, height) {
    const metresAPixel = (6_371_008 / view.scale) * Math.cos(2 * Math.atan(Math.exp(-view.y)) - Math.PI / 2);
    const metres = [200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000].find((m) => m / metresAPixel > 40) ?? 200_000;
    const [x, y, length] = [width - 10, height - 10, metres / metresAPixel];
    const { pen } = this;
    pen.font = "11px system-ui, sans-serif";
    pen.textAlign = "right";
    pen.strokeStyle = this.colour("panel");
    pen.lineWidth = 3;
    const text = metres < 1_000 ? `${metres} m` : `${metres / 1_000} km`;
    pen.strokeText(text, x, y - 7);
    pen.fillStyle = pen.strokeStyle = this.colour("dim");
    pen.fillText(text, x, y - 7);
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.moveTo(x - length, y - 4);
    pen.lineTo(x - length, y);
    pen.lineTo(x, y);
    pen.lineTo(x, y - 4);
    pen.stroke();
  }
}

// The map: cells shaded by how many professionals cover them, bookings as dots. Drawn from data alone.

import { used } from "./city.js";
import { number, speech } from "./words.js";

const LIFE_MS = { wave: 1_800, accepted: 1_600, unfilled: 1_400, cancelled: 900 };
const NEAR = 12; // pixels around a dot that count as the dot
const STILL = matchMedia("(prefers-reduced-motion: reduce)");

/** Web Mercator, in units of the equator's radius; y grows to the south. */
const project = ([lat, lng]) => [(lng * Math.PI) / 180, -Math.log(Math.tan(Math.PI / 4 + (lat * Math.PI) / 360))];

export class Ground {
  constructor(canvas, spot, open) {
    this.canvas = canvas;
    this.spot = spot;
    this.pen = canvas.getContext("2d");
    this.forget();
    this.shade = document.createElement("canvas"); // below the dots: cells
    this.names = document.createElement("canvas"); // above them: names and scale
    [this.frame, this.width, this.height] = [0, 0, 0];
    new ResizeObserver(() => this.resize()).observe(canvas.parentElement);
    canvas.addEventListener("pointermove", (event) => this.point(event));
    canvas.addEventListener("pointerleave", () => (this.spot.hidden = true));
    canvas.addEventListener("click", (event) => {
      const dot = this.dotAt(event.offsetX, event.offsetY);
      if (dot) open(dot.bno);
    });
    this.resize();
  }

  /** Nothing is known of any city. */
  forget() {
    [this.cells, this.dots, this.moments] = [[], [], []];
    [this.places, this.areas] = [new Map(), new Map()];
    [this.city, this.view, this.most] = [null, null, 0];
  }

  /** Takes the colours of the page's theme. */
  repaint() {
    if (!this.width) return;
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    this.colours = Object.fromEntries(["reach", "searching", "accepted", "unfilled", "cancelled", "panel", "dim", "ink"].map((n) => [n, colour(n)]));
    this.drawCells();
    this.draw();
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.canvas.parentElement;
    if (!width || !height) return;
    const ratio = Math.min(2, devicePixelRatio || 1);
    for (const canvas of [this.canvas, this.shade, this.names]) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    [this.width, this.height, this.ratio] = [width, height, ratio];
    this.look();
    this.repaint();
  }

  /** Everything of the city anew; `touched`: the cells are not those of before. */
  show(city, touched) {
    this.city = city;
    if (touched || !this.cells.length) this.takeCells(city.state.cells);
    const bookings = city.bookings().filter((booking) => booking.place);
    const lost = bookings.some((booking) => !this.contains(project(booking.place)));
    for (const { bno, place, area } of bookings) this.remember(bno, place, area);
    if (this.width && (touched || lost || !this.view)) {
      this.look();
      this.drawCells();
    }
    this.dots = bookings.map((booking) => ({ ...booking, at: project(booking.place) }));
    if (this.width) this.draw();
  }

  /** Where a booking is, for what happens after it has left the list; and where an area lies, for its name. */
  remember(bno, place, area) {
    if (this.places.has(bno)) return;
    this.places.set(bno, place);
    if (this.places.size > 2_000) this.places.delete(this.places.keys().next().value);
    if (!area) return;
    const known = this.areas.get(area) ?? { lat: 0, lng: 0, count: 0 };
    this.areas.set(area, { lat: known.lat + place[0], lng: known.lng + place[1], count: known.count + 1 });
  }

  /** Something happened at a booking: it is drawn for a moment. */
  happen({ kind, bno, asked }) {
    const place = this.places.get(bno);
    if (!place) return;
    this.moments.push({ kind, at: project(place), rings: Math.min(4, asked), began: performance.now() });
    if (this.moments.length > 120) this.moments.shift();
    this.wake();
  }

  takeCells({ counts, shapes }) {
    this.most = Math.max(1, ...Object.values(counts));
    this.cells = Object.entries(counts).map(([cell, count]) => {
      const ring = shapes[cell].map(project);
      return { count, ring, size: Math.hypot(ring[0][0] - ring[3][0], ring[0][1] - ring[3][1]) };
    });
    this.cells.sort((a, b) => b.size - a.size); // small cells lie on large ones
  }

  /** Chooses the view: where many cover, and every booking seen. */
  look() {
    const rich = this.cells.filter(({ count }) => count >= this.most * 0.35).flatMap(({ ring }) => ring);
    const points = [...rich, ...[...this.places.values()].map(project)];
    if (!points.length) return (this.view = null);
    const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
    const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const scale = Math.min((this.width - 48) / Math.max(right - left, 1e-4), (this.height - 48) / Math.max(bottom - top, 1e-4));
    return (this.view = { x: (left + right) / 2, y: (top + bottom) / 2, scale, left, right, top, bottom });
  }

  contains([x, y]) {
    const { view } = this;
    return view !== null && x >= view.left && x <= view.right && y >= view.top && y <= view.bottom;
  }

  pixel([x, y]) {
    return [(x - this.view.x) * this.view.scale + this.width / 2, (y - this.view.y) * this.view.scale + this.height / 2];
  }

  // -- drawing --------------------------------------------------------------------------------------------------

  drawCells() {
    const pen = this.clean(this.shade);
    if (!this.view) return;
    pen.lineWidth = 1.5;
    pen.lineJoin = "round";
    pen.strokeStyle = this.colours.panel;
    pen.fillStyle = this.colours.reach;
    for (const { count, ring } of this.cells) {
      pen.beginPath();
      ring.forEach((corner, index) => (index ? pen.lineTo(...this.pixel(corner)) : pen.moveTo(...this.pixel(corner))));
      pen.closePath();
      pen.globalAlpha = 0.06 + 0.6 * (count / this.most) ** 1.3;
      pen.fill();
      pen.globalAlpha = 1;
      pen.stroke();
    }
    this.drawNames(this.clean(this.names));
  }

  clean(canvas) {
    const pen = canvas.getContext("2d");
    pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    pen.clearRect(0, 0, this.width, this.height);
    return pen;
  }

  drawNames(pen) {
    this.drawScale(pen);
    pen.font = "500 11px Inter, system-ui, sans-serif";
    pen.textAlign = "center";
    pen.fillStyle = this.colours.ink;
    pen.strokeStyle = this.colours.panel;
    pen.lineJoin = "round";
    pen.lineWidth = 3;
    pen.globalAlpha = 0.78;
    const taken = [];
    for (const [name, { lat, lng, count }] of [...this.areas].sort((a, b) => b[1].count - a[1].count).slice(0, this.width / 40)) {
      const [x, y] = this.pixel(project([lat / count, lng / count]));
      const half = pen.measureText(shortArea(name)).width / 2 + 6;
      if (taken.some((box) => Math.abs(box.x - x) < box.half + half && Math.abs(box.y - y) < 26)) continue;
      taken.push({ x, y, half });
      pen.strokeText(shortArea(name), x, y - 9);
      pen.fillText(shortArea(name), x, y - 9);
    }
  }

  drawScale(pen) {
    const metresAPixel = (6_371_008 / this.view.scale) * Math.cos(2 * Math.atan(Math.exp(-this.view.y)) - Math.PI / 2);
    const metres = [500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000].find((m) => m / metresAPixel > 48) ?? 200_000;
    const [x, y, length] = [this.width - 14, this.height - 14, metres / metresAPixel];
    pen.font = "500 11px Inter, system-ui, sans-serif";
    pen.globalAlpha = 1;
    pen.strokeStyle = pen.fillStyle = this.colours.dim;
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(x - length, y - 4);
    pen.lineTo(x - length, y);
    pen.lineTo(x, y);
    pen.lineTo(x, y - 4);
    pen.stroke();
    pen.textAlign = "right";
    pen.fillText(metres < 1_000 ? `${metres} m` : `${metres / 1_000} km`, x, y - 8);
  }

  draw() {
    const { pen } = this;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    pen.drawImage(this.shade, 0, 0);
    if (!this.view || !this.city?.state) return;
    pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    const now = this.city.now();
    for (const dot of this.dots) this.drawDot(dot, now);
    const clock = performance.now();
    this.moments = this.moments.filter((moment) => clock - moment.began < LIFE_MS[moment.kind]);
    for (const moment of this.moments) this.drawMoment(moment, (clock - moment.began) / LIFE_MS[moment.kind]);
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.drawImage(this.names, 0, 0);
  }

  drawDot(dot, now) {
    const [x, y] = this.pixel(dot.at);
    const late = dot.state === "searching" && used(dot, now) > 0.8;
    const age = dot.ended ? (now - dot.ended) / (15_000 * this.city.state.speed) : 0;
    const radius = this.dots.length > 120 || this.width < 500 ? 3.2 : 4.2;
    this.disc(x, y, radius * 2.1, this.colours[late ? "unfilled" : dot.state], 0.2 * (1 - age));
    this.disc(x, y, radius, this.colours[late ? "unfilled" : dot.state], Math.max(0.15, 1 - age));
  }

  drawMoment({ kind, at, rings }, life) {
    const [x, y] = this.pixel(at);
    if (STILL.matches) return this.ring(x, y, 14, kind === "wave" ? "searching" : kind, 0.8, 2);
    if (kind === "wave") {
      for (let ring = 0; ring < rings; ring += 1) {
        const part = life * 1.35 - ring * 0.12;
        if (part > 0 && part < 1) this.ring(x, y, 5 + 34 * ease(part), "searching", 0.9 * (1 - part), 1.6);
      }
      return undefined;
    }
    this.disc(x, y, 6 + 20 * ease(life), this.colours[kind], 0.45 * (1 - life));
    return this.ring(x, y, 6 + 34 * ease(life), kind, 1 - life, 2.5);
  }

  disc(x, y, radius, colour, alpha) {
    this.pen.globalAlpha = Math.max(0, alpha);
    this.pen.fillStyle = colour;
    this.pen.beginPath();
    this.pen.arc(x, y, radius, 0, 2 * Math.PI);
    this.pen.fill();
    this.pen.globalAlpha = 1;
  }

  ring(x, y, radius, colour, alpha, width) {
    this.pen.globalAlpha = Math.max(0, alpha);
    this.pen.strokeStyle = this.colours[colour];
    this.pen.lineWidth = width;
    this.pen.beginPath();
    this.pen.arc(x, y, radius, 0, 2 * Math.PI);
    this.pen.stroke();
    this.pen.globalAlpha = 1;
  }

  /** Draws at every frame while something happens. */
  wake() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
      if (this.moments.length) this.wake();
    });
  }

  // -- pointing -------------------------------------------------------------------------------------------------

  dotAt(x, y) {
    const away = ({ at }) => Math.hypot(this.pixel(at)[0] - x, this.pixel(at)[1] - y);
    return this.view && this.dots.filter((dot) => away(dot) < NEAR).sort((a, b) => away(a) - away(b))[0];
  }

  point({ offsetX: x, offsetY: y }) {
    if (!this.view) return;
    const dot = this.dotAt(x, y);
    const cell = this.cells.findLast(({ ring }) => inside([x, y], ring.map((corner) => this.pixel(corner))));
    const about = cell ? speech.words.spot(number(cell.count)) : speech.words.spot_none;
    this.spot.textContent = dot ? `#${dot.bno} · ${speech.words[`state_${dot.state}`]} · ${about}` : about;
    this.spot.hidden = false;
    this.spot.style.left = `${Math.min(Math.max(x, 110), this.width - 110)}px`;
    this.spot.style.top = `${y > 60 ? y - 16 : y + 44}px`;
    this.canvas.style.cursor = dot ? "pointer" : "default";
  }
}

const ease = (part) => 1 - (1 - part) ** 3;

/** An area's name without what everybody knows. */
export const shortArea = (name) => name?.replace(/ Arrondissement$/i, "");

/** Whether a point lies in a ring (even-odd). */
function inside([x, y], ring) {
  let odd = false;
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i, i += 1) {
    const [[xi, yi], [xj, yj]] = [ring[i], ring[j]];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) odd = !odd;
  }
  return odd;
}

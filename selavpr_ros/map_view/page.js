'use strict';
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const { places, segments, drive } = data;
  const element = id => document.getElementById(id);
  const plot = element('plot'), base = element('base'), marks = element('marks');
  const HOVER_REACH = 18;  // pixels
  const NEAREST_SCALE = 60;  // pixels a metre

  // ---- what belongs to what

  const segmentOf = new Uint16Array(places.x.length);
  segments.forEach((segment, number) => segmentOf.fill(number, segment.first, segment.first + segment.count));
  const hidden = new Set();
  const view = { x: 0, y: 0, scale: 1 };
  let threshold = drive ? drive.threshold : 0, radius = drive ? drive.radius : 25;
  let hovered = null, chosen = null;  // {kind: 'place' | 'query', i}

  const pictureTexts = {};
  function picture(kind, i) {
    const id = kind === 'place' ? 'pictures' : 'query-pictures';
    pictureTexts[id] ??= element(id).textContent.trim().split('\n');
    return pictureTexts[id][i] || null;
  }

  // Where not every place has a picture in the page, that of a neighbour of the same session.
  function nearestPicture(kind, i) {
    const { first, count } = kind === 'place' ? segments[segmentOf[i]] : { first: 0, count: drive.x.length };
    for (let step = 0; step <= data.picture_reach; step++) {
      for (const j of step ? [i - step, i + step] : [i]) {
        if (j >= first && j < first + count && picture(kind, j)) return { i: j, data: picture(kind, j) };
      }
    }
    return null;
  }

  const located = i => drive.x[i] !== null;
  function verdict(i) {
    if (drive.similarity[i] < threshold || drive.margin[i] < drive.least_margin) return 'silent';
    if (drive.error[i] === null) return 'right';
    return drive.error[i] <= radius ? 'right' : 'wrong';
  }

  // ---- words

  const metres = value => value === null ? 'unknown'
    : value < 100 ? `${value.toFixed(1)} m` : value < 10000 ? `${value.toFixed(0)} m` : `${(value / 1000).toFixed(1)} km`;
  const time = stamp => new Date(stamp).toISOString().replace('T', ' ').replace(/\.\d+Z$/, ' UTC');
  const percent = (part, whole) => whole ? `${(100 * part / whole).toFixed(1)} %` : '–';
  const counted = (n, noun) => `${n.toLocaleString('en')} ${noun}${n === 1 ? '' : 's'}`;

  function make(tag, options = {}, ...children) {
    const made = Object.assign(document.createElement(tag), options);
    made.append(...children.filter(child => child !== null));
    return made;
  }

  function definitions(rows) {
    const list = make('dl');
    for (const [name, value] of rows) if (value !== null) list.append(make('dt', {}, name), make('dd', {}, value));
    return list;
  }

  function dot(number) {
    const made = make('span', { className: 'dot' });
    made.style.background = segments[number].colour;
    return made;
  }

  function figure(kind, i, caption) {
    const found = nearestPicture(kind, i);
    if (!found) return make('figure', {}, make('div', { className: 'none' }, 'no picture'), make('figcaption', {}, caption));
    const name = kind === 'place' ? 'place' : 'query';
    const image = make('img', { src: `data:${data.picture_type};base64,${found.data}`, alt: `${name} ${found.i}` });
    const whose = found.i === i ? caption : `${caption} (picture of ${name} ${found.i})`;
    return make('figure', {}, image, whose ? make('figcaption', {}, whose) : null);
  }

  function headingWords(degrees) {
    return degrees === null ? 'unknown' : `${degrees.toFixed(0)}° from ${data.datum ? 'east' : 'the x axis'}`;
  }

  function placeCard(i, brief) {
    const number = segmentOf[i], x = places.x[i], y = places.y[i];
    const rows = [['time', time(places.stamp[i])], ['x, y', `${x.toFixed(1)}, ${y.toFixed(1)} m`]];
    if (!brief) {
      rows.push(['z', `${places.z[i].toFixed(1)} m`]);
      if (places.latitude) rows.push(['latitude', `${places.latitude[i].toFixed(7)}°`], ['longitude', `${places.longitude[i].toFixed(7)}°`]);
      rows.push(['sigma', places.sigma[i] === null ? 'unknown' : `${places.sigma[i]} m`]);
    }
    rows.push(['heading', headingWords(places.heading[i])]);
    const title = make('h3', {}, dot(number), `place ${i}, ${segments[number].name}`);
    return [title, make('div', { className: 'pictures' }, figure('place', i, '')), definitions(rows)];
  }

  const VERDICTS = { right: 'right', wrong: 'wrong', silent: 'no answer: not sure enough' };
  function verdictWords(i) {
    const said = verdict(i);
    return said === 'right' && drive.error[i] === null ? 'answered' : VERDICTS[said];
  }

  function queryCard(i, brief) {
    const best = drive.place[i], rows = [['verdict', make('span', { className: `verdict ${verdict(i)}` }, verdictWords(i))]];
    rows.push(['similarity', drive.similarity[i].toFixed(3)]);
    if (drive.hamming[i] !== null) rows.push(['Hamming', `${drive.hamming[i]} of ${drive.bits} bits`]);
    if (drive.error[i] !== null) rows.push(['error', metres(drive.error[i])]);
    if (drive.turn[i] !== null) rows.push(['turned by', `${drive.turn[i].toFixed(0)}°`]);
    if (drive.nearest[i] !== null) rows.push(['nearest place', metres(drive.nearest[i])]);
    rows.push(['time', time(drive.stamp[i])]);
    const card = [
      make('h3', {}, `query ${i}`),
      make('div', { className: 'pictures' }, figure('query', i, 'query'), figure('place', best, `place ${best}, ${segments[segmentOf[best]].name}`)),
      definitions(rows)];
    if (!brief) {
      const table = make('table', {}, make('tr', {}, make('th', { scope: 'col' }, 'place'), make('th', { scope: 'col' }, 'similarity'), make('th', { scope: 'col' }, 'error')));
      for (const [place, similarity, error] of drive.candidates[i]) {
        const link = make('button', { onclick: () => choose({ kind: 'place', i: place }, true) }, `${place}, ${segments[segmentOf[place]].name}`);
        table.append(make('tr', {}, make('td', {}, link), make('td', {}, similarity.toFixed(3)), make('td', {}, error === null ? '–' : metres(error))));
      }
      card.push(table);
    }
    return card;
  }

  const card = (item, brief) => item.kind === 'place' ? placeCard(item.i, brief) : queryCard(item.i, brief);

  // ---- the plot

  let width = 0, height = 0, colours = {};
  const screenX = x => width / 2 + (x - view.x) * view.scale;
  const screenY = y => height / 2 - (y - view.y) * view.scale;

  function sized(canvas) {
    const ratio = window.devicePixelRatio || 1;
    const w = canvas.clientWidth, h = canvas.clientHeight;
    if (canvas.width !== Math.round(w * ratio) || canvas.height !== Math.round(h * ratio)) {
      canvas.width = Math.round(w * ratio);
      canvas.height = Math.round(h * ratio);
    }
    const context = canvas.getContext('2d');
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, w, h);
    return context;
  }

  function readColours() {
    const style = getComputedStyle(document.documentElement);
    for (const name of ['paper', 'ink', 'soft', 'rule', 'grid', 'right', 'wrong', 'silent', 'focus']) {
      colours[name] = style.getPropertyValue(`--${name}`).trim();
    }
  }

  function fit() {
    const bounds = [Infinity, Infinity, -Infinity, -Infinity];
    const include = (x, y) => {
      bounds[0] = Math.min(bounds[0], x); bounds[1] = Math.min(bounds[1], y);
      bounds[2] = Math.max(bounds[2], x); bounds[3] = Math.max(bounds[3], y);
    };
    for (let i = 0; i < places.x.length; i++) if (!hidden.has(segmentOf[i])) include(places.x[i], places.y[i]);
    if (drive) for (let i = 0; i < drive.x.length; i++) if (located(i)) include(drive.x[i], drive.y[i]);
    if (bounds[0] > bounds[2]) bounds.splice(0, 4, -50, -50, 50, 50);
    view.x = (bounds[0] + bounds[2]) / 2;
    view.y = (bounds[1] + bounds[3]) / 2;
    const room = 60;
    view.scale = Math.min(NEAREST_SCALE / 3, Math.max(width - room, 50) / Math.max(bounds[2] - bounds[0], 1),
      Math.max(height - room, 50) / Math.max(bounds[3] - bounds[1], 1));
    redraw();
  }

  function niceStep(least) {
    const power = 10 ** Math.floor(Math.log10(least));
    return [1, 2, 5, 10].map(factor => factor * power).find(step => step >= least);
  }

  function drawGrid(context) {
    const step = niceStep(90 / view.scale);
    context.strokeStyle = colours.grid;
    context.lineWidth = 1;
    context.beginPath();
    const left = view.x - width / 2 / view.scale, bottom = view.y - height / 2 / view.scale;
    for (let x = Math.ceil(left / step) * step; screenX(x) < width; x += step) {
      context.moveTo(Math.round(screenX(x)) + 0.5, 0);
      context.lineTo(Math.round(screenX(x)) + 0.5, height);
    }
    for (let y = Math.ceil(bottom / step) * step; screenY(y) > 0; y += step) {
      context.moveTo(0, Math.round(screenY(y)) + 0.5);
      context.lineTo(width, Math.round(screenY(y)) + 0.5);
    }
    context.stroke();
  }

  function drawScale(context) {
    const length = niceStep(60 / view.scale), x = 14.5, y = height - 14.5;
    const words = length >= 1000 ? `${length / 1000} km` : length >= 1 ? `${length} m` : `${+(length * 100).toFixed(1)} cm`;
    context.font = '12px system-ui, "DejaVu Sans", sans-serif';
    context.fillStyle = colours.paper;
    context.globalAlpha = 0.85;
    context.fillRect(6, height - 36, length * view.scale + 18, 30);
    context.globalAlpha = 1;
    context.strokeStyle = colours.ink;
    context.fillStyle = colours.ink;
    context.lineWidth = 1.5;
    context.beginPath();
    context.moveTo(x, y - 5); context.lineTo(x, y); context.lineTo(x + length * view.scale, y); context.lineTo(x + length * view.scale, y - 5);
    context.stroke();
    context.textAlign = 'left';
    context.fillText(words, x + 5, y - 6);
    if (data.datum) {
      context.beginPath();
      context.moveTo(20.5, 40); context.lineTo(20.5, 16); context.moveTo(16, 22); context.lineTo(20.5, 15); context.lineTo(25, 22);
      context.stroke();
      context.textAlign = 'center';
      context.fillText('N', 20.5, 54);
    }
  }

  // As large as the usual step between places allows. (A line longer than BROKEN of those is a gap.)
  const BROKEN = 8;
  const markSize = (track, least, most) => Math.max(least, Math.min(most, 0.35 * view.scale * track.longest_step / BROKEN));

  const inside = (x, y, margin) => x > -margin && y > -margin && x < width + margin && y < height + margin;

  function drawPlaces(context) {
    const faded = drive ? 0.55 : 1;
    segments.forEach((segment, number) => {
      if (hidden.has(number)) return;
      const stop = segment.first + segment.count, size = markSize(segment, 1.4, 4.5);
      context.strokeStyle = context.fillStyle = segment.colour;
      context.lineWidth = 1;
      context.globalAlpha = 0.4 * faded;
      context.beginPath();
      for (let i = segment.first; i + 1 < stop; i++) {
        const dx = places.x[i + 1] - places.x[i], dy = places.y[i + 1] - places.y[i];
        if (dx * dx + dy * dy > segment.longest_step ** 2) continue;
        context.moveTo(screenX(places.x[i]), screenY(places.y[i]));
        context.lineTo(screenX(places.x[i + 1]), screenY(places.y[i + 1]));
      }
      context.stroke();
      context.globalAlpha = faded;
      context.beginPath();
      for (let i = segment.first; i < stop; i++) {
        const x = screenX(places.x[i]), y = screenY(places.y[i]);
        if (!inside(x, y, 20)) continue;
        if (size < 2) context.rect(x - size, y - size, 2 * size, 2 * size);
        else { context.moveTo(x + size, y); context.arc(x, y, size, 0, 7); }
      }
      context.fill();
      if (view.scale < 2.5) return;
      context.lineWidth = 1.5;
      context.beginPath();
      for (let i = segment.first; i < stop; i++) {
        const x = screenX(places.x[i]), y = screenY(places.y[i]), heading = places.heading[i];
        if (heading === null || !inside(x, y, 20)) continue;
        const angle = heading * Math.PI / 180;
        context.moveTo(x, y);
        context.lineTo(x + 3.2 * size * Math.cos(angle), y - 3.2 * size * Math.sin(angle));
      }
      context.stroke();
    });
    context.globalAlpha = 1;
  }

  function drawQuery(context, i, size) {
    const x = screenX(drive.x[i]), y = screenY(drive.y[i]), said = verdict(i);
    if (!inside(x, y, 20)) return;
    context.beginPath();
    if (said === 'wrong') {
      context.moveTo(x - size, y - size); context.lineTo(x + size, y + size);
      context.moveTo(x + size, y - size); context.lineTo(x - size, y + size);
    } else context.arc(x, y, said === 'right' ? size * 0.9 : size * 0.8, 0, 7);
    context.lineWidth = said === 'wrong' ? 2.2 : 1.6;
    if (said === 'right') {
      context.fillStyle = colours.right;
      context.fill();
      context.strokeStyle = colours.paper;
      context.lineWidth = 0.8;
    } else context.strokeStyle = colours[said];
    context.stroke();
  }

  function drawDrive(context) {
    const size = markSize(drive, 2.6, 5);
    context.strokeStyle = colours.soft;
    context.lineWidth = 1.2;
    context.beginPath();
    for (let i = 0; i + 1 < drive.x.length; i++) {
      if (!located(i) || !located(i + 1)) continue;
      const dx = drive.x[i + 1] - drive.x[i], dy = drive.y[i + 1] - drive.y[i];
      if (dx * dx + dy * dy > drive.longest_step ** 2) continue;
      context.moveTo(screenX(drive.x[i]), screenY(drive.y[i]));
      context.lineTo(screenX(drive.x[i + 1]), screenY(drive.y[i + 1]));
    }
    context.stroke();
    for (const said of ['right', 'wrong']) {
      context.strokeStyle = colours[said];
      context.globalAlpha = 0.6;
      context.setLineDash(said === 'wrong' ? [5, 4] : []);
      context.beginPath();
      for (let i = 0; i < drive.x.length; i++) {
        if (!located(i) || verdict(i) !== said) continue;
        context.moveTo(screenX(drive.x[i]), screenY(drive.y[i]));
        context.lineTo(screenX(places.x[drive.place[i]]), screenY(places.y[drive.place[i]]));
      }
      context.stroke();
    }
    context.setLineDash([]);
    context.globalAlpha = 1;
    for (let i = 0; i < drive.x.length; i++) if (located(i)) drawQuery(context, i, size);
  }

  function drawMarks() {
    const context = sized(marks);
    const ring = (x, y, colour, size) => {
      context.strokeStyle = colour;
      context.lineWidth = 2.5;
      context.beginPath();
      context.arc(x, y, size, 0, 7);
      context.stroke();
    };
    for (const item of [chosen, hovered]) {
      if (!item) continue;
      const colour = item === chosen ? colours.focus : colours.ink;
      if (item.kind === 'place') {
        ring(screenX(places.x[item.i]), screenY(places.y[item.i]), colour, 9);
        continue;
      }
      const place = drive.place[item.i], x = screenX(places.x[place]), y = screenY(places.y[place]);
      ring(x, y, colour, 7);
      if (!located(item.i)) continue;
      ring(screenX(drive.x[item.i]), screenY(drive.y[item.i]), colour, 10);
      context.beginPath();
      context.moveTo(screenX(drive.x[item.i]), screenY(drive.y[item.i]));
      context.lineTo(x, y);
      context.stroke();
    }
  }

  function draw() {
    const context = sized(base);
    drawGrid(context);
    drawPlaces(context);
    if (drive) drawDrive(context);
    drawScale(context);
    drawMarks();
    if (drive) drawCharts();
  }

  let waiting = false;
  function redraw() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; draw(); });
  }

  // ---- charts along the drive

  const MARGIN = { left: 46, right: 10, top: 8, bottom: 20 };
  const LEAST_ERROR = 0.1;  // metres, the foot of the logarithmic axis

  function chart(canvas, values, lowest, highest, ticks, line, place) {
    const context = sized(canvas), w = canvas.clientWidth, h = canvas.clientHeight;
    const x = i => MARGIN.left + (w - MARGIN.left - MARGIN.right) * (values.length > 1 ? i / (values.length - 1) : 0.5);
    const y = value => h - MARGIN.bottom - (h - MARGIN.top - MARGIN.bottom) * (place(value) - lowest) / (highest - lowest);
    context.font = '11px system-ui, "DejaVu Sans", sans-serif';
    context.textAlign = 'right';
    context.textBaseline = 'middle';
    context.lineWidth = 1;
    for (const [value, words] of ticks) {
      context.strokeStyle = colours.rule;
      context.beginPath();
      context.moveTo(MARGIN.left, y(value)); context.lineTo(w - MARGIN.right, y(value));
      context.stroke();
      context.fillStyle = colours.soft;
      context.fillText(words, MARGIN.left - 6, y(value));
    }
    context.strokeStyle = colours.focus;
    context.setLineDash([6, 4]);
    context.beginPath();
    context.moveTo(MARGIN.left, y(line)); context.lineTo(w - MARGIN.right, y(line));
    context.stroke();
    context.setLineDash([]);
    const size = Math.max(1.2, Math.min(3, w / values.length / 2));
    values.forEach((value, i) => {
      if (value === null) return;
      const said = verdict(i);
      context.strokeStyle = context.fillStyle = colours[said];
      context.lineWidth = 1.5;
      context.beginPath();
      if (said === 'wrong') {
        context.moveTo(x(i) - size, y(value) - size); context.lineTo(x(i) + size, y(value) + size);
        context.moveTo(x(i) + size, y(value) - size); context.lineTo(x(i) - size, y(value) + size);
        context.stroke();
      } else {
        context.arc(x(i), y(value), size, 0, 7);
        if (said === 'right') context.fill(); else context.stroke();
      }
    });
    for (const item of [chosen, hovered]) {
      if (!item || item.kind !== 'query' || values[item.i] === null) continue;
      context.strokeStyle = item === chosen ? colours.focus : colours.ink;
      context.lineWidth = 2;
      context.beginPath();
      context.arc(x(item.i), y(values[item.i]), 6, 0, 7);
      context.stroke();
    }
    context.textBaseline = 'alphabetic';
    context.fillStyle = colours.soft;
    context.textAlign = 'left';
    context.fillText('query 0', MARGIN.left, h - 4);
    context.textAlign = 'right';
    context.fillText(`${values.length - 1}`, w - MARGIN.right, h - 4);
  }

  function drawCharts() {
    const lowest = Math.min(0, ...drive.similarity.map(value => Math.floor(value * 5) / 5));
    const ticks = [];
    for (let value = lowest; value <= 1.001; value += 0.2) ticks.push([value, value.toFixed(1)]);
    chart(element('similarities'), drive.similarity, lowest, 1, ticks, threshold, value => value);
    if (!drive.errors_known) return;
    const log = value => Math.log10(Math.max(value, LEAST_ERROR));
    const largest = Math.max(2, ...drive.error.map(value => value === null ? 0 : Math.ceil(log(value))));
    const powers = [];
    for (let power = -1; power <= largest; power++) powers.push([10 ** power, `${power < 3 ? 10 ** power : 10 ** (power - 3)} ${power < 3 ? 'm' : 'km'}`]);
    chart(element('errors'), drive.error, -1, largest, powers, radius, log);
  }

  function chartQuery(event) {
    const box = event.currentTarget.getBoundingClientRect();
    const share = (event.clientX - box.left - MARGIN.left) / (box.width - MARGIN.left - MARGIN.right);
    return Math.max(0, Math.min(drive.x.length - 1, Math.round(share * (drive.x.length - 1))));
  }

  // ---- figures of the drive

  function quantile(sorted, share) {
    if (!sorted.length) return null;
    const at = share * (sorted.length - 1), below = Math.floor(at);
    return sorted[below] + (at - below) * ((sorted[below + 1] ?? sorted[below]) - sorted[below]);
  }

  function showFigures() {
    const all = drive.x.length, verdicts = drive.x.map((_, i) => verdict(i));
    const answered = verdicts.filter(said => said !== 'silent').length;
    const tiles = [[`${answered} of ${all}`, 'answered']];
    if (drive.errors_known) {
      const judged = drive.error.map((error, i) => error !== null && verdicts[i] !== 'silent');
      const errors = drive.error.filter((_, i) => judged[i]).sort((a, b) => a - b);
      const right = verdicts.filter((said, i) => judged[i] && said === 'right').length;
      const findable = drive.nearest.filter(distance => distance !== null && distance <= radius).length;
      tiles.push([percent(right, errors.length), 'of these right'], [percent(right, findable), `of the ${findable} in the map found`]);
      const middle = quantile(errors, 0.5), high = quantile(errors, 0.95);
      tiles.push([middle === null ? '–' : metres(middle), 'median error'], [high === null ? '–' : metres(high), '95 % below'],
        [String(errors.length - right), errors.length - right === 1 ? 'wrong answer' : 'wrong answers']);
    }
    element('tiles').replaceChildren(...tiles.map(([figure, words]) => make('div', {}, make('b', {}, figure), make('span', {}, words))));
    element('threshold-value').textContent = threshold.toFixed(2);
    element('radius-value').textContent = `${radius} m`;
    element('key-right').textContent = drive.errors_known ? `right: within ${radius} m` : 'answered';
  }

  // ---- hovering, choosing, moving

  function nearest(x, y) {
    let best = null, least = HOVER_REACH ** 2;
    const consider = (kind, i, px, py, advantage) => {
      const distance = ((px - x) ** 2 + (py - y) ** 2) * advantage;
      if (distance < least) { least = distance; best = { kind, i }; }
    };
    // Of a query and a place at the same spot, the query is meant: it lies above.
    if (drive) for (let i = 0; i < drive.x.length; i++) if (located(i)) consider('query', i, screenX(drive.x[i]), screenY(drive.y[i]), 0.3);
    for (let i = 0; i < places.x.length; i++) if (!hidden.has(segmentOf[i])) consider('place', i, screenX(places.x[i]), screenY(places.y[i]), 1);
    return best;
  }

  const same = (a, b) => a === b || (a && b && a.kind === b.kind && a.i === b.i);

  function hover(item, x, y) {
    const box = element('hover');
    if (!same(item, hovered)) {
      hovered = item;
      if (item && x !== null) {
        box.replaceChildren(...card(item, true));
        box.classList.toggle('pair', item.kind === 'query');
      }
      drawMarks();
      if (drive) drawCharts();
    }
    box.hidden = !item || x === null;
    if (box.hidden) return;
    const place = () => putBeside(box, x, y);
    place();
    for (const image of box.querySelectorAll('img')) image.onload = place;  // only now is it as high
  }

  // Beside the pointer, where there is room.
  function putBeside(box, x, y) {
    const w = box.offsetWidth, h = box.offsetHeight;
    const left = x + 18 + w <= width ? x + 18 : x - 18 - w >= 0 ? x - 18 - w : Math.max(4, width - w - 4);
    const top = Math.max(4, Math.min(height - h - 4, y + (left === Math.max(4, width - w - 4) ? 24 : -h / 3)));
    box.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
  }

  function choose(item, centred) {
    chosen = item;
    const empty = make('p', { className: 'empty' }, drive ? 'Point at a query or a place; click to keep it here.' : 'Point at a place; click to keep it here.');
    element('chosen').replaceChildren(...(item ? card(item, false) : [empty]));
    if (item && centred) {
      const from = item.kind === 'place' ? places : drive;
      const x = from.x[item.i], y = from.y[item.i];
      if (x !== null && !inside(screenX(x), screenY(y), -40)) { view.x = x; view.y = y; redraw(); }
    }
    drawMarks();
    if (drive) drawCharts();
  }

  function zoom(factor, x, y) {
    const scale = Math.max(1e-4, Math.min(NEAREST_SCALE, view.scale * factor));
    view.x += (x - width / 2) * (1 / view.scale - 1 / scale);
    view.y -= (y - height / 2) * (1 / view.scale - 1 / scale);
    view.scale = scale;
    redraw();
  }

  const pointers = new Map();
  let moved = 0;
  const at = event => { const box = marks.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };

  marks.addEventListener('pointerdown', event => {
    marks.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, at(event));
    moved = 0;
  });
  marks.addEventListener('pointermove', event => {
    const [x, y] = at(event);
    element('where').textContent = `x ${(view.x + (x - width / 2) / view.scale).toFixed(1)}, y ${(view.y - (y - height / 2) / view.scale).toFixed(1)} m`;
    const before = pointers.get(event.pointerId);
    if (!before) { hover(nearest(x, y), x, y); return; }
    const other = [...pointers.entries()].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const was = Math.hypot(before[0] - other[0], before[1] - other[1]), is = Math.hypot(x - other[0], y - other[1]);
      if (was > 5) zoom(is / was, (x + other[0]) / 2, (y + other[1]) / 2);
    }
    const share = other ? 0.5 : 1;
    view.x -= share * (x - before[0]) / view.scale;
    view.y += share * (y - before[1]) / view.scale;
    moved += Math.abs(x - before[0]) + Math.abs(y - before[1]);
    pointers.set(event.pointerId, [x, y]);
    if (moved > 4) hover(null, null, null);
    redraw();
  });
  const release = event => {
    const [x, y] = at(event);
    if (event.type === 'pointerup' && pointers.size === 1 && moved <= 4) choose(nearest(x, y), false);
    pointers.delete(event.pointerId);
  };
  marks.addEventListener('pointerup', release);
  marks.addEventListener('pointercancel', release);
  marks.addEventListener('pointerleave', () => { hover(null, null, null); element('where').textContent = ''; });
  marks.addEventListener('wheel', event => {
    event.preventDefault();
    const [x, y] = at(event);
    zoom(Math.exp(-Math.max(-240, Math.min(240, event.deltaY * (event.deltaMode ? 33 : 1))) / 400), x, y);
    hover(null, null, null);
  }, { passive: false });
  marks.addEventListener('keydown', event => {
    const steps = { ArrowRight: 1, ArrowLeft: -1, PageDown: 10, PageUp: -10 };
    if (event.key in steps) {
      const kind = chosen ? chosen.kind : drive ? 'query' : 'place';
      const count = (kind === 'place' ? places : drive).x.length;
      let i = chosen ? chosen.i + steps[event.key] : 0;
      while (kind === 'place' && i >= 0 && i < count && hidden.has(segmentOf[i])) i += Math.sign(steps[event.key]);
      if (count) choose({ kind, i: Math.max(0, Math.min(count - 1, i)) }, true);
    } else if (event.key === '+' || event.key === '=') zoom(1.5, width / 2, height / 2);
    else if (event.key === '-') zoom(1 / 1.5, width / 2, height / 2);
    else if (event.key === '0') fit();
    else if (event.key === 'Escape') choose(null, false);
    else return;
    event.preventDefault();
  });
  element('closer').onclick = () => zoom(1.5, width / 2, height / 2);
  element('farther').onclick = () => zoom(1 / 1.5, width / 2, height / 2);
  element('fit').onclick = fit;

  // ---- the rest of the page

  element('name').textContent = data.name;
  element('about').textContent = data.about;
  if (data.warning) { element('warning').textContent = data.warning; element('warning').hidden = false; }
  element('sessions').append(...segments.map((segment, number) => {
    const box = make('input', { type: 'checkbox', checked: true });
    box.onchange = () => { if (box.checked) hidden.delete(number); else hidden.add(number); redraw(); };
    return make('li', { title: segment.source }, make('label', {}, box, dot(number),
      make('span', {}, segment.name, make('small', {}, `${counted(segment.count, 'place')}, ${metres(segment.length)}, ${time(segment.start).replace(/:\d+ UTC/, ' UTC')}`))));
  }));
  if (!segments.length) element('sessions').append(make('li', { className: 'note' }, 'The map has no places yet.'));

  if (drive) {
    element('answers').hidden = element('charts').hidden = false;
    element('answers').querySelector('h2').textContent = `Answers to ${drive.name}`;
    element('errors-figure').hidden = element('radius-label').hidden = element('key-wrong').hidden = !drive.errors_known;
    element('drive-note').textContent = drive.note;
    element('threshold-from').textContent = drive.threshold_from;
    const slider = element('threshold'), reach = element('radius');
    slider.min = Math.min(0, ...drive.similarity, threshold).toFixed(2);
    slider.value = threshold;
    reach.value = radius;
    const changed = () => {
      threshold = Number(slider.value);
      radius = Number(reach.value);
      showFigures();
      redraw();
      if (chosen) choose(chosen, false);
    };
    slider.oninput = reach.oninput = changed;
    showFigures();
    element('similarities').setAttribute('aria-label', `Similarity of ${counted(drive.x.length, 'query')}`.replace('querys', 'queries'));
    element('errors').setAttribute('aria-label', 'Error of each query, metres, logarithmic');
    for (const id of ['similarities', 'errors']) {
      const canvas = element(id);
      canvas.addEventListener('pointermove', event => hover({ kind: 'query', i: chartQuery(event) }, null, null));
      canvas.addEventListener('pointerleave', () => hover(null, null, null));
      canvas.addEventListener('click', event => choose({ kind: 'query', i: chartQuery(event) }, true));
    }
  }

  readColours();
  choose(null, false);
  let fitted = false;
  new ResizeObserver(() => {
    width = plot.clientWidth;
    height = plot.clientHeight;
    if (!fitted) { fitted = true; fit(); } else redraw();
  }).observe(plot);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { readColours(); redraw(); });

  // What a test, or a curious user in the console, can ask for.
  window.mapView = {
    data, view, nearest, choose, draw, fit,
    screen: (x, y) => [screenX(x), screenY(y)],
    get hovered() { return hovered; },
    get chosen() { return chosen; },
  };
})();

// Elements. What comes from the daemon is set as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === undefined || value === null) continue;
    if (typeof value === "function") made.addEventListener(name, value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

export const h = (name, attributes = {}, ...children) => fill(document.createElement(name), attributes, children);

export const s = (name, attributes = {}, ...children) => fill(document.createElementNS(SVG, name), attributes, children);

export const at = (id) => document.getElementById(id);

// Replaces what `place` shows, and leaves it alone where nothing has changed: a link that is being used, a selection
// and a place in a table must not go away under the pointer or the cursor.
export function show(place, ...children) {
  const made = h("div", {}, ...children);
  if (place.childNodes.length === made.childNodes.length) {
    const [olds, nexts] = [[...place.childNodes], [...made.childNodes]];
    olds.forEach((old, index) => {
      if (!old.isEqualNode(nexts[index])) morph(old, nexts[index]);
    });
    return;
  }
  place.replaceChildren(...made.childNodes);
}

function morph(old, next) {
  const same = old.nodeType === 1 && next.nodeType === 1 && old.tagName === next.tagName;
  // Listeners are not compared: what has some is given anew unless it is equal.
  if (!same || old.tagName === "BUTTON" || old.childNodes.length !== next.childNodes.length) {
    old.replaceWith(next);
    return;
  }
  for (const { name } of [...old.attributes]) if (!next.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of next.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const [olds, nexts] = [[...old.childNodes], [...next.childNodes]];
  olds.forEach((child, index) => {
    if (!child.isEqualNode(nexts[index])) morph(child, nexts[index]);
  });
}

// Small helpers of the page: elements, and times in words. Text reaches the page as text only.

export const by = (id) => document.getElementById(id);

// An element with properties, data attributes (`data`) and children; a text is a child as it is.
export const make = (tag, properties = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value == null) continue;
    if (name === "data") Object.assign(element.dataset, value);
    else if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null && child !== ""));
  return element;
};

// Writes a text only where it changed: nothing that is read aloud is read twice.
export const write = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};

const two = (value) => String(Math.floor(value)).padStart(2, "0");

// A span of time in words; without seconds where they would only flicker.
export const span = (seconds, coarse = false) => {
  if (seconds == null) return "–";
  const all = Math.max(0, Math.floor(seconds));
  const hours = Math.floor(all / 3600);
  const minutes = Math.floor(all / 60) % 60;
  if (hours > 0) return hours + " h " + two(minutes) + " min";
  if (coarse) return minutes + " min";
  return minutes > 0 ? minutes + " min " + two(all % 60) + " s" : all + " s";
};

// An instant of the run, and the story's time where there is a story.
export const instant = (seconds) => seconds == null ? "" : seconds.toFixed(1) + " s";
export const storyInstant = (plan, seconds) =>
  plan.story && seconds != null ? Draw.storyTime(plan.story, seconds) : "";
export const both = (plan, seconds) =>
  [storyInstant(plan, seconds), instant(seconds)].filter(Boolean).join(" · ");
export const storySpan = (plan, seconds) =>
  plan.story && seconds != null ? span(seconds * plan.story.scale, plan.story.scale >= 30) : "";

// A name in grave accents, as the terminal has it, in quotation marks.
export const quoted = (text) => String(text == null ? "" : text).replace(/`([^`]*)`/g, "“$1”");
export const words = (name) => String(name).replaceAll("_", " ");
export const person = (who) => (who ? who.name + " (" + who.role + ")" : "");

// Copies a text; where the browser does not let us, it is selected for the user to copy.
export const copy = async (text, field, button) => {
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    field.focus();
    getSelection().selectAllChildren(field);
    if (field.select) field.select();
    button.textContent = "Selected";
  }
  setTimeout(() => { button.textContent = label; }, 1500);
};

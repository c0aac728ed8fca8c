// Keeps the marked parts of a page up to date: elements with `data-live` and an id are taken from
// the page as it is now, whenever the server says on its stream of events that something is new.
// Without this script the pages are the same and stand still.
//
// It is small enough to be written here: a library would bring forty times as much for this one
// thing. A part in which somebody is just now is left alone until they have left it.
(() => {
  "use strict";
  const EVENTS = "/console/events";
  const AGAIN = 3000; // milliseconds
  const status = document.getElementById("connection");
  const parts = () => document.querySelectorAll("[data-live][id]");
  if (!status || parts().length === 0) return;

  let stream = null;
  let timer = 0;
  let lost = false;
  let under_way = false;
  let once_more = false;

  // Whether somebody has begun to fill in a form there.
  function filled(part) {
    const fields = part.querySelectorAll("input:not([type=hidden]), textarea");
    return [...fields].some((field) =>
      field.value !== field.defaultValue || field.checked !== field.defaultChecked);
  }

  // Takes over what is new; says whether the server answered.
  async function refresh() {
    if (under_way) {
      once_more = true;
      return;
    }
    under_way = true;
    try {
      const answer = await fetch(location.href, { credentials: "same-origin" });
      if (answer.redirected || answer.status === 401) {
        // Nobody is signed in any more.
        location.reload();
      } else if (answer.ok) {
        const text = await answer.text();
        const page = new DOMParser().parseFromString(text, "text/html");
        for (const part of parts()) {
          const fresh = page.getElementById(part.id);
          if (!fresh || part.contains(document.activeElement) || filled(part)) continue;
          for (const open of part.querySelectorAll("details[open][id]")) {
            const same = fresh.querySelector("#" + CSS.escape(open.id));
            if (same) same.open = true;
          }
          if (fresh.innerHTML === part.innerHTML) continue;
          part.replaceWith(fresh);
        }
      }
    } catch {
      // The stream notices too, and tries again.
    } finally {
      under_way = false;
      if (once_more) {
        once_more = false;
        refresh();
      }
    }
  }

  function close() {
    clearTimeout(timer);
    if (stream) stream.close();
    stream = null;
  }

  function open() {
    close();
    stream = new EventSource(EVENTS);
    stream.onmessage = refresh;
    stream.onopen = () => {
      if (lost) refresh();
      lost = false;
      status.textContent = "";
    };
    stream.onerror = () => {
      // A server that is restarting may answer with an error, after which browsers give up.
      lost = true;
      status.textContent = "The connection is lost; trying again.";
      close();
      timer = setTimeout(open, AGAIN);
    };
  }

  // Browsers allow few connections: a tab that nobody sees keeps none.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      close();
    } else {
      lost = true;
      open();
    }
  });
  addEventListener("pagehide", close);
  if (!document.hidden) open();
})();

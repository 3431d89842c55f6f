// What a browser adds to pages that are complete without it: copying, the search key, the drawer, live updates. No state of its own.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const say = (words) => { byId("said").className = "unseen"; byId("said").textContent = words; };

  // A server that does not answer, or answers with no page of ours (a login elsewhere, a proxy's own words): what is shown stays, and
  // going there as a browser does without this file shows what there is.
  const trouble = (address) => {
    if (drawer.open) drawer.close();
    const there = document.createElement("a");
    Object.assign(there, { href: address, textContent: "Try again" });
    there.setAttribute("hx-boost", "false");
    byId("said").className = "trouble note fail";
    byId("said").replaceChildren("The server did not answer with a page: what you see is as it was. ", there);
  };
  document.addEventListener("htmx:error", (event) => { if (event.detail.ctx) trouble(event.detail.ctx.request.action); });
  document.addEventListener("htmx:before:response", (event) => {
    const { response, request } = event.detail.ctx;
    if ((response.headers.get("content-type") ?? "").startsWith("text/html")) { say(""); return; }
    event.preventDefault();
    trouble(request.action);
  });

  document.addEventListener("click", async (event) => {
    const copy = event.target.closest("[data-copy]");
    if (copy) {
      const from = copy.dataset.copy.startsWith("#") ? document.querySelector(copy.dataset.copy) : null;
      let text = from ? (from.value ?? from.textContent) : copy.dataset.copy;
      if (copy.dataset.from) {
        const answer = await fetch(copy.dataset.from).catch(() => null);
        if (!answer?.ok) return trouble(copy.dataset.from);
        text = await answer.text();
      }
      try { await navigator.clipboard.writeText(text); } catch { return select(from ?? copy.previousElementSibling); }
      const words = copy.textContent;
      copy.textContent = "copied";
      say("Copied");
      setTimeout(() => { copy.textContent = words; }, 1500);
      return;
    }
    const link = event.target.closest("a[data-drawer]");
    if (link && !event.metaKey && !event.ctrlKey && !event.shiftKey && event.button === 0) {
      event.preventDefault();
      event.stopPropagation();
      open(link.href, drawer.contains(link) ? opener : link);
    }
    if (event.target.closest("[data-close]")) { event.preventDefault(); byId("drawer").close(); }
    if (event.target.closest("[data-print]")) { event.preventDefault(); window.print(); }
  }, true);

  function select(element) {
    if (!element) return;
    const range = document.createRange();
    range.selectNodeContents(element);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
  }

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) { event.preventDefault(); byId("q").focus(); byId("q").select(); }
  });

  // The drawer has the address of the page it shows: a link to it, or the back button, does what one expects.
  const drawer = byId("drawer");
  let opener = null;
  async function open(address, from) {
    opener = from;
    const answer = await fetch(address, { headers: { accept: "text/html" } }).catch(() => null);
    const page = new DOMParser().parseFromString((await answer?.text().catch(() => "")) ?? "", "text/html");
    const main = page.getElementById("main");
    if (!main) { trouble(address); return; }
    say("");
    drawer.replaceChildren(bar(address), inside(main));
    drawer.setAttribute("aria-label", page.title);
    if (drawer.open) { history.replaceState({ drawer: true }, "", address); } else { history.pushState({ drawer: true }, "", address); drawer.showModal(); }
    drawer.scrollTop = 0;
  }
  function bar(address) {
    const box = document.createElement("div");
    const whole = document.createElement("a");
    const close = document.createElement("button");
    box.className = "drawer-bar";
    Object.assign(whole, { textContent: "Open as a page", href: address, className: "small" });
    Object.assign(close, { textContent: "Close", type: "button" });
    close.dataset.close = "";
    box.append(whole, close);
    return box;
  }
  function inside(main) {
    const box = document.createElement("div");
    box.className = "drawer-in";
    box.append(...main.childNodes);
    return box;
  }
  // Leaving it leads back to the page under it, which never went away: it is not asked for again, and keeps the keyboard where it was.
  // Where a live update put another link in its place, that one has it.
  let leaving = false;
  function refocus() {
    if (!opener) return;
    if (!opener.isConnected) opener = [...document.querySelectorAll("a[data-drawer]")].find((a) => a.href === opener.href) ?? opener;
    opener.focus();
  }
  drawer.addEventListener("close", () => { if (history.state?.drawer) { leaving = true; history.back(); } drawer.replaceChildren(); refocus(); });
  window.addEventListener("popstate", (event) => {
    if (drawer.open && !event.state?.drawer) { leaving = true; drawer.close(); }
    setTimeout(() => { leaving = false; if (!drawer.open && document.activeElement === document.body) refocus(); }, 100);
  });
  window.navigation?.addEventListener("navigate", (event) => { if (leaving || drawer.open) event.stopImmediatePropagation(); }, true);
  document.addEventListener("htmx:before:history:restore", (event) => { if (leaving) event.preventDefault(); });

  // Passkeys. The server shows what is signed; the device signs the challenge, which is the SHA-256 of those bytes.
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-passkey]");
    if (!button) return;
    const form = button.closest("form");
    const d = form.dataset;
    try {
      if (button.dataset.passkey === "get") {
        const allow = d.credentials.split(" ").map((id) => ({ type: "public-key", id: bytes(id) }));
        const made = await navigator.credentials.get({ publicKey: { challenge: bytes(d.challenge), rpId: d.site, allowCredentials: allow, userVerification: "required" } });
        const r = made.response;
        form.elements.signature.value = JSON.stringify({ authenticatorData: text(r.authenticatorData), clientDataJSON: text(r.clientDataJSON), signature: text(r.signature) });
      } else {
        const user = { id: bytes(d.handle), name: d.person, displayName: d.person };
        const made = await navigator.credentials.create({ publicKey: {
          challenge: bytes(d.challenge), rp: { id: d.site, name: "Release Dossier" }, user,
          pubKeyCredParams: [{ type: "public-key", alg: -7 }, { type: "public-key", alg: -8 }],
          authenticatorSelection: { userVerification: "required", residentKey: "preferred" }, attestation: "none" } });
        const r = made.response;
        form.elements.credential.value = JSON.stringify({ id: made.id, rawId: text(made.rawId), type: made.type, response: { clientDataJSON: text(r.clientDataJSON), attestationObject: text(r.attestationObject) } });
      }
      form.submit();
    } catch (error) {
      byId("passkey-said").textContent = `${error.message} Nothing was recorded; try again, or use your SSH key.`;
    }
  });

  // What the log gains shows by itself: the page is asked for again and only what differs is changed.
  let due = 0;
  window.dossierRefresh = () => {
    clearTimeout(due);
    due = setTimeout(() => {
      if (drawer.open || document.activeElement?.closest("form.keep")) { say("There is something new: load the page again to see it."); return; }
      htmx.ajax("GET", location.href, { target: "#main", select: "#main", swap: "outerMorph" }).then(again);
    }, 150);
  };
  // What is on its way is asked for once a second, until it has arrived or its page says that it will not by itself.
  const again = () => { if (document.querySelector("[data-again]")) setTimeout(window.dossierRefresh, 1000); };
  again();
  // Of all tabs one listens and tells the others: a browser has six connections to a server, and the seventh tab would wait for ever.
  // It asks for what came after the last entry its page knows of, so that nothing is missed before it listens.
  const events = document.body.dataset.events;
  if (events && "EventSource" in window) {
    const others = new BroadcastChannel("dossier-events");
    let known = document.body.dataset.known;
    others.addEventListener("message", (event) => { known = event.data; window.dossierRefresh(); });
    const listen = () => new Promise((over) => {
      const source = new EventSource(`${events}?after=${known}`);
      const tell = (event) => { window.dossierRefresh(); others.postMessage(event.lastEventId); };
      for (const kind of document.body.dataset.kinds.split(" ")) source.addEventListener(kind, tell);
      source.addEventListener("error", () => { if (source.readyState === EventSource.CLOSED) over(); });  // the session ended: whoever has another
    });
    if (navigator.locks) navigator.locks.request("dossier-events", listen); else listen();
  }
})();

// The counter: news of the member before it, and back to the start when nobody touches it.
(function () {
  'use strict';
  var meche = window.meche;
  var body = document.body;
  var IDLE_SECONDS = 60;
  var WARNING_SECONDS = 15;
  var field = document.querySelector('input[name="presence"]');

  function presence() {
    var data = new URLSearchParams();
    data.set('presence', field.value);
    return data;
  }

  // The page again, asked with the member's presence, which stands in no address.
  meche.refresh = function () {
    if (!field) return;
    fetch(body.dataset.refresh, { method: 'POST', body: presence(), headers: { accept: 'text/html' }, credentials: 'same-origin' })
      .then(function (response) {
        if (response.redirected) {
          location.replace('/t');
          return null;
        }
        return response.ok ? response.text() : null;
      })
      .then(function (text) {
        if (!text) return;
        var fresh = new DOMParser().parseFromString(text, 'text/html');
        var isOver = document.querySelector('[data-countdown]') && !fresh.querySelector('[data-countdown]');
        if (isOver) location.replace('/t'); else meche.swap(fresh);
      })
      .catch(function () { /* The next news tries again. */ });
  };

  function listen() {
    if (!field || !document.querySelector('[data-swap]') || !window.ReadableStream) return;
    var stopper = new AbortController();
    addEventListener('pagehide', function () { stopper.abort(); });
    fetch('/t/live', { method: 'POST', body: presence(), signal: stopper.signal, credentials: 'same-origin' })
      .then(function (response) {
        if (!response.ok || !response.body) throw new Error('closed');
        var reader = response.body.getReader();
        var decoder = new TextDecoder();
        var soon = null;
        return (function read() {
          return reader.read().then(function (part) {
            if (part.done) throw new Error('ended');
            if (/^event: /m.test(decoder.decode(part.value))) {
              clearTimeout(soon);
              soon = setTimeout(meche.refresh, 120);
            }
            return read();
          });
        })();
      })
      .catch(function () { if (!stopper.signal.aborted) setTimeout(listen, 5000); });
  }
  listen();

  // A minute without a touch: the next person must not find the last one's page.
  var bar = document.querySelector('[data-idle]');
  if ('presence' in body.dataset && !('stays' in body.dataset)) {
    var words = bar && bar.querySelector('[data-words]');
    var voice = document.querySelector('[data-idle-voice]');
    var touched = Date.now();
    var touch = function () {
      touched = Date.now();
      if (bar) bar.hidden = true;
      if (voice) voice.textContent = '';
    };
    ['pointerdown', 'keydown', 'input', 'scroll'].forEach(function (kind) { addEventListener(kind, touch, { passive: true }); });
    setInterval(function () {
      var left = IDLE_SECONDS - Math.floor((Date.now() - touched) / 1000);
      if (left <= 0) {
        var finish = document.querySelector('[data-finish]');
        if (finish) finish.submit(); else location.replace('/t');
        touched = Date.now();
      } else if (bar && left <= WARNING_SECONDS) {
        words.textContent = words.dataset.words.replace('{n}', left);
        if (bar.hidden) {
          voice.textContent = words.textContent;
          bar.hidden = false;
        }
      }
    }, 500);
  }
})();

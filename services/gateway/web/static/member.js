// What improves every page of a member: news without a reload, the last balance for a time without
// network, the way to the home screen. Every page works without it.
(function () {
  'use strict';
  var body = document.body;
  var base = body.dataset.base || '';
  var lastKey = 'meche:last:' + base;
  var meche = window.meche;
  var all = meche.all;

  function keep(key, value) {
    try {
      if (value === null) localStorage.removeItem(key); else localStorage.setItem(key, value);
    } catch (error) { /* Private windows may forbid storage; nothing of value lives in it. */ }
  }

  function kept(key) {
    try { return localStorage.getItem(key); } catch (error) { return null; }
  }

  // A form without fields leaves a bare "?" behind the address of the page it opened.
  if (location.href.endsWith('?')) history.replaceState(null, '', location.pathname);

  // The last balance, with its time, for the offline page.
  function keepBalance() {
    var shown = document.querySelector('[data-keep-balance]');
    if (shown) keep(lastKey, JSON.stringify({ text: shown.dataset.keepBalance, at: Date.now() }));
  }

  function showLastBalance() {
    var place = document.querySelector('[data-last]');
    var last = kept(lastKey);
    if (!place || !last) return;
    try {
      var said = JSON.parse(last);
      place.querySelector('[data-last-balance]').textContent = said.text;
      place.querySelector('[data-last-time]').textContent = new Date(said.at).toLocaleString(document.documentElement.lang + '-CA', { dateStyle: 'long', timeStyle: 'short' });
      place.hidden = false;
    } catch (error) { keep(lastKey, null); }
  }

  var waiting = null;
  function refresh() {
    clearTimeout(waiting);
    waiting = null;
    return fetch(location.href, { headers: { accept: 'text/html' }, credentials: 'same-origin' })
      .then(function (response) {
        if (response.redirected && new URL(response.url).pathname !== location.pathname) {
          location.replace(response.url);
          return null;
        }
        return response.ok ? response.text() : null;
      })
      .then(function (text) {
        if (text) meche.swap(new DOMParser().parseFromString(text, 'text/html'));
      })
      .catch(function () { /* No network: the next news or the next poll tries again. */ });
  }

  meche.refresh = refresh;

  function refreshSoon() {
    if (!waiting) waiting = setTimeout(refresh, 120);
  }

  // News of this member from her other screens and from the salon; a slow poll where it fails.
  function listen() {
    var address = body.dataset.live;
    if (!address || !document.querySelector('[data-swap]')) return;
    var poll = null;
    function startPolling() {
      if (!poll) poll = setInterval(function () { if (!document.hidden) refresh(); }, 10000);
    }
    function stopPolling() {
      clearInterval(poll);
      poll = null;
    }
    if (!window.EventSource) {
      startPolling();
      return;
    }
    var source = null;
    var lost = false;
    function open() {
      if (source) return;
      source = new EventSource(address);
      ['points', 'rewards', 'countdown'].forEach(function (kind) { source.addEventListener(kind, refreshSoon); });
      source.onopen = function () {
        stopPolling();
        if (lost) refreshSoon();
        lost = false;
      };
      source.onerror = function () {
        lost = true;
        startPolling();
      };
    }
    function close() {
      if (source) source.close();
      source = null;
    }
    open();
    // A page that is left must not hold one of the browser's few connections.
    addEventListener('pagehide', close);
    addEventListener('pageshow', function (event) {
      if (event.persisted) {
        open();
        refresh();
      }
    });
    document.addEventListener('visibilitychange', function () { if (!document.hidden) refreshSoon(); });
  }

  // Codes of the salon do not stay on her phone.
  function clearSecrets() {
    all('[data-clear]').forEach(function (input) { input.value = ''; });
  }
  if (document.querySelector('[data-secret]')) {
    addEventListener('pagehide', clearSecrets);
    addEventListener('pageshow', clearSecrets);
    document.addEventListener('visibilitychange', function () { if (document.hidden) clearSecrets(); });
  }

  var points = document.querySelector('[data-points]');
  var aboveOne = document.querySelector('[data-above-one]');
  if (points && aboveOne) {
    var showOrHide = function () { aboveOne.hidden = points.value.trim() === '1'; };
    points.addEventListener('input', showOrHide);
    showOrHide();
  }

  // The browser's own way to the home screen, where it has one.
  addEventListener('beforeinstallprompt', function (event) {
    var button = document.querySelector('[data-install]');
    if (!button) return;
    event.preventDefault();
    button.hidden = false;
    button.addEventListener('click', function () { event.prompt(); });
  });

  if (document.querySelector('[data-done]') && history.replaceState) {
    var address = new URL(location.href);
    address.searchParams.delete('done');
    history.replaceState(null, '', address);
  }
  if ('forget' in body.dataset) keep(lastKey, null);
  meche.hooks.push(keepBalance);
  keepBalance();
  showLastBalance();
  listen();
  if (base && 'serviceWorker' in navigator) {
    addEventListener('load', function () {
      navigator.serviceWorker.register(base + '/sw.js', { scope: base }).catch(function () { /* The pages do without. */ });
    });
  }
})();

// The page that the salon's QR opens: makes the scan's id, keeps it, and posts it until it is answered.
(function () {
  'use strict';
  var place = document.querySelector('[data-earn]');
  if (!place) return;
  var form = place.querySelector('[data-earn-form]');
  var status = place.querySelector('[data-earn-status]');
  var storeKey = 'meche:scan:' + location.pathname;
  var tries = 0;

  function freshId() {
    if (window.crypto && crypto.randomUUID) return crypto.randomUUID();
    var bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = bytes[6] & 15 | 64;
    bytes[8] = bytes[8] & 63 | 128;
    var hex = Array.prototype.map.call(bytes, function (byte) { return ('0' + byte.toString(16)).slice(-2); }).join('');
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  }

  // A page that is loaded again is the same scan; a page that is opened anew is another one.
  function scanId() {
    var entry = performance.getEntriesByType && performance.getEntriesByType('navigation')[0];
    var again = entry && (entry.type === 'reload' || entry.type === 'back_forward');
    // The same page in the other language is the same scan too.
    again = again || /[?&]lang=/.test(location.search);
    var id = null;
    try {
      id = again ? sessionStorage.getItem(storeKey) : null;
      id = id || freshId();
      sessionStorage.setItem(storeKey, id);
    } catch (error) { id = id || freshId(); }
    return id;
  }

  function say(words, kind) {
    status.hidden = false;
    status.className = 'notice notice--' + kind;
    status.textContent = words;
  }

  function retry() {
    tries += 1;
    say(place.dataset.offline, 'warning');
    form.hidden = tries < 3;
    setTimeout(send, Math.min(1000 * Math.pow(2, tries), 15000));
  }

  function refused(said) {
    say(said.problem || (said.errors && said.errors[0] && said.errors[0].detail) || '', 'error');
    form.hidden = false;
  }

  function earned(said) {
    say(said.message, said.already_counted ? 'info' : 'success');
    form.remove();
    // The address of a scan must not lie in the history as something to open again.
    history.replaceState(null, '', document.body.dataset.base + '/card');
    document.querySelectorAll('a[hreflang]').forEach(function (link) {
      link.href = document.body.dataset.base + '/card?lang=' + link.hreflang;
    });
    window.meche.refresh();
  }

  var id = scanId();
  form.elements.scan_id.value = id;

  function send() {
    var data = new URLSearchParams();
    data.set('scan_id', id);
    fetch(form.action, { method: 'POST', body: data, headers: { accept: 'application/json' }, credentials: 'same-origin' })
      .then(function (response) {
        if (response.status >= 500) throw new Error('later');
        if (response.status === 401) {
          location.reload();
          return null;
        }
        return response.json().then(function (said) { (response.ok ? earned : refused)(said); });
      })
      .catch(retry);
  }

  function begin() {
    form.hidden = true;
    say(place.dataset.waiting, 'info');
    send();
  }
  form.addEventListener('submit', function (event) {
    event.preventDefault();
    begin();
  });
  // A page that the browser loads ahead of a tap is not a scan yet.
  if (document.prerendering) document.addEventListener('prerenderingchange', begin, { once: true }); else begin();
})();

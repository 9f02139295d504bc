// The scanner: the browser's own QR reader where there is one, else small frames read by the server.
(function () {
  'use strict';
  var viewer = document.querySelector('[data-scanner]');
  if (!viewer) return;
  var base = document.body.dataset.base;
  var video = viewer.querySelector('video');
  var status = viewer.querySelector('[data-status]');
  var photo = document.querySelector('[data-photo]');
  var canvas = document.createElement('canvas');
  var stream = null;
  var detector = null;
  var done = false;
  var running = 0;
  var FRAME_SIDE = 720;
  var PHOTO_SIDE = 1600;

  function say(words) {
    if (status.textContent !== words) status.textContent = words;
  }

  // The chain's own earn link in a QR's text, on whatever host it was printed for.
  function earnPath(text) {
    var slug = viewer.dataset.slug.replace(/[^a-z0-9-]/gi, '');
    var match = new RegExp('^(?:https?://[^/\\s]+)?/m/' + slug + '/g/([A-Za-z0-9_.~-]{1,256})/?(?:\\?\\S*)?$', 'i').exec(text.trim());
    return match ? base + '/g/' + match[1] : '';
  }

  function go(path) {
    done = true;
    say(viewer.dataset.found);
    stop();
    location.assign(path);
  }

  function stop() {
    running += 1;
    if (stream) stream.getTracks().forEach(function (track) { track.stop(); });
    stream = null;
  }

  function shrunk(source, width, height, side) {
    var scale = Math.min(1, side / Math.max(width, height));
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    canvas.getContext('2d').drawImage(source, 0, 0, canvas.width, canvas.height);
    return new Promise(function (resolve) { canvas.toBlob(resolve, 'image/jpeg', 0.72); });
  }

  function ask(picture) {
    return fetch(base + '/decode', { method: 'POST', body: picture, headers: { 'content-type': 'image/jpeg', accept: 'application/json' }, credentials: 'same-origin' });
  }

  // Answers how long to wait before the next look.
  function lookByServer() {
    return shrunk(video, video.videoWidth, video.videoHeight, FRAME_SIDE).then(ask).then(function (response) {
      if (response.status === 429) return 1000 * (Number(response.headers.get('retry-after')) || 2);
      if (!response.ok) return 2000;
      return response.json().then(function (said) {
        if (said.location) go(said.location); else say(said.found ? viewer.dataset.foreign : viewer.dataset.looking);
        return 700;
      });
    });
  }

  function lookHere() {
    return detector.detect(video).then(function (codes) {
      var path = codes.map(function (code) { return earnPath(code.rawValue); }).filter(Boolean)[0];
      if (path) go(path); else say(codes.length ? viewer.dataset.foreign : viewer.dataset.looking);
      return 180;
    });
  }

  function look(turn) {
    if (done || turn !== running) return;
    if (!video.videoWidth) {
      setTimeout(function () { look(turn); }, 200);
      return;
    }
    (detector ? lookHere() : lookByServer())
      .catch(function () { return 2000; })
      .then(function (wait) { setTimeout(function () { look(turn); }, wait); });
  }

  function refused() {
    say(viewer.dataset.refused);
    viewer.classList.add('viewer--closed');
  }

  function start() {
    if (done || stream) return;
    var turn = running += 1;
    viewer.hidden = false;
    say(viewer.dataset.starting);
    if (!navigator.mediaDevices || !navigator.mediaDevices.getUserMedia) {
      refused();
      return;
    }
    // Old phones show black instead of refusing: after three seconds the other ways are named.
    var late = setTimeout(function () { if (!video.videoWidth) refused(); }, 3000);
    navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' }, audio: false })
      .then(function (found) {
        if (turn !== running) {
          found.getTracks().forEach(function (track) { track.stop(); });
          return null;
        }
        stream = found;
        video.srcObject = found;
        return video.play();
      })
      .then(function () {
        if (turn !== running) return;
        clearTimeout(late);
        viewer.classList.remove('viewer--closed');
        say(viewer.dataset.looking);
        look(turn);
      })
      .catch(function () {
        clearTimeout(late);
        if (turn === running) refused();
      });
  }

  function choose() {
    if (!window.BarcodeDetector) return Promise.resolve();
    return BarcodeDetector.getSupportedFormats().then(function (formats) {
      if (formats.indexOf('qr_code') >= 0) detector = new BarcodeDetector({ formats: ['qr_code'] });
    }).catch(function () { /* The server reads the frames. */ });
  }

  // A photo is made small here, so that it travels fast; one that this browser cannot draw goes as it is.
  var input = photo.querySelector('input');
  photo.querySelector('[data-photo-send]').hidden = true;
  input.addEventListener('change', function () {
    var file = input.files[0];
    if (!file) return;
    viewer.hidden = false;
    var picture = new Image();
    picture.onload = function () {
      shrunk(picture, picture.naturalWidth, picture.naturalHeight, PHOTO_SIDE).then(ask)
        .then(function (response) { return response.json(); })
        .then(function (said) {
          if (said.location) go(said.location); else say(said.found ? viewer.dataset.foreign : viewer.dataset.unread);
        })
        .catch(function () { photo.submit(); });
      URL.revokeObjectURL(picture.src);
      input.value = '';
    };
    picture.onerror = function () { photo.submit(); };
    picture.src = URL.createObjectURL(file);
  });

  addEventListener('pagehide', stop);
  document.addEventListener('visibilitychange', function () { if (document.hidden) stop(); else start(); });
  choose().then(start);
})();

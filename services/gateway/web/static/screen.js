// What phone and counter share: parts that change without a reload, the countdown, forms sent once.
(function () {
  'use strict';
  var hooks = [];

  function all(selector, root) {
    return Array.prototype.slice.call((root || document).querySelectorAll(selector));
  }

  // Points arrive: only what is new moves.
  function celebrate(before, after) {
    var from = Number(before.dataset.balance);
    var to = Number(after.dataset.balance);
    if (!(to > from)) return;
    after.classList.add('is-richer');
    all('.stamp--on', after).slice(from).forEach(function (stamp, index) {
      stamp.style.setProperty('--turn', Math.min(index, 10));
      stamp.classList.add('stamp--new');
    });
  }

  function swap(fresh) {
    all('[data-swap]').forEach(function (old) {
      var next = fresh.getElementById(old.id);
      if (!next || next.isEqualNode(old)) return;
      next = document.importNode(next, true);
      var before = all('[data-balance]', old).concat(old.dataset.balance ? [old] : []);
      var after = all('[data-balance]', next).concat(next.dataset.balance ? [next] : []);
      var hadFocus = old.contains(document.activeElement) ? document.activeElement.getAttribute('aria-describedby') : null;
      old.replaceWith(next);
      before.forEach(function (one) {
        var same = after.filter(function (other) { return other.id === one.id; })[0];
        if (same) celebrate(one, same);
      });
      if (hadFocus) {
        var again = next.querySelector('[aria-describedby="' + hadFocus + '"]');
        if (again) again.focus();
      }
    });
    hooks.forEach(function (hook) { hook(); });
  }

  // The five minutes: the server's number counted down here, announced politely.
  var ticking = null;
  var announced = '';
  function startCountdown() {
    var place = document.querySelector('[data-countdown]');
    clearInterval(ticking);
    if (!place) return;
    // A part that was not exchanged goes on counting to the same end.
    var end = place.end = place.end || Date.now() + Number(place.dataset.left) * 1000;
    var time = place.querySelector('[data-time]');
    var clock = place.querySelector('[data-clock]');
    var hand = place.querySelector('[data-hand]');
    var arc = place.querySelector('[data-arc]');
    var voice = document.querySelector('[data-announce]');
    var format = clock && new Intl.DateTimeFormat(document.documentElement.lang, { hour: 'numeric', minute: '2-digit', second: '2-digit', timeZone: place.dataset.zone });
    function announce(words) {
      if (voice && words && words !== announced) voice.textContent = announced = words;
    }
    function tick() {
      var left = Math.max(0, Math.ceil((end - Date.now()) / 1000));
      time.textContent = Math.floor(left / 60) + ':' + ('0' + left % 60).slice(-2);
      if (clock) clock.textContent = format.format(new Date());
      if (hand) hand.setAttribute('transform', 'rotate(' + (-(left % 60) * 6) + ' 100 100)');
      if (arc) arc.setAttribute('stroke-dasharray', left + ' 300');
      if (left === 0) {
        announce(place.dataset.over);
        clearInterval(ticking);
        setTimeout(function () { location.replace(place.dataset.endsAt); }, 1200);
      } else if (left === 30) {
        announce(place.dataset.secondsLeft);
      } else if (left % 60 === 0) {
        announce(left === 60 ? place.dataset.minuteLeft : place.dataset.minutesLeft.replace('{n}', left / 60));
      }
    }
    tick();
    ticking = setInterval(tick, 250);
  }

  var smallTicking = null;
  function startSmallCountdowns() {
    clearInterval(smallTicking);
    var places = all('[data-small-countdown]');
    if (!places.length) return;
    var ends = places.map(function (place) { return place.end = place.end || Date.now() + Number(place.dataset.smallCountdown) * 1000; });
    smallTicking = setInterval(function () {
      var over = false;
      places.forEach(function (place, index) {
        var left = Math.max(0, Math.ceil((ends[index] - Date.now()) / 1000));
        place.textContent = Math.floor(left / 60) + ':' + ('0' + left % 60).slice(-2);
        over = over || left === 0;
      });
      if (over) {
        clearInterval(smallTicking);
        setTimeout(function () { window.meche.refresh(); }, 800);
      }
    }, 500);
  }

  // A double tap sends once here; the form's key makes it count once there.
  addEventListener('submit', function (event) {
    var form = event.target;
    if (!form.matches('[data-once]')) return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = '1';
  });

  addEventListener('pageshow', function () {
    all('[data-once]').forEach(function (form) { delete form.dataset.sent; });
  });

  hooks.push(startCountdown, startSmallCountdowns);
  hooks.forEach(function (hook) { hook(); });
  // `hooks` run after every change; `refresh` is given by the page's own script.
  window.meche = { all: all, swap: swap, hooks: hooks, refresh: function () { location.reload(); } };
})();

// Keeps static files and one page for when there is no network. Pages of hers are never kept.
const BASE = {{ base|tojson }};
const OFFLINE = {{ offline|tojson }};
const KEPT = {{ kept|tojson }};
const CACHE = 'meche:' + BASE + ':' + KEPT.join('|');

self.addEventListener('install', (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll([...KEPT, OFFLINE])).then(() => self.skipWaiting()));
});

self.addEventListener('activate', (event) => {
  const isOld = (name) => name.startsWith('meche:' + BASE + ':') && name !== CACHE;
  event.waitUntil(
    caches.keys()
      .then((names) => Promise.all(names.filter(isOld).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener('fetch', (event) => {
  const request = event.request;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== self.location.origin) return;
  if (KEPT.includes(url.pathname)) {
    event.respondWith(caches.match(url.pathname).then((kept) => kept || fetch(request)));
    return;
  }
  const isOurs = url.pathname === BASE || url.pathname.startsWith(BASE + '/');
  if (request.mode === 'navigate' && isOurs) {
    event.respondWith(fetch(request).catch(() => caches.match(OFFLINE)));
  }
});

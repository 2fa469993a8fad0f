// Keeps the page for use without a network. The build writes which files there are, and a hash of what is in them: all
// come from one build, or none.
const CACHE = "plimsoll-" + HASH;

self.addEventListener("install", (event) => {
  const fresh = FILES.map((file) => new Request(file, { cache: "no-cache" }));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(fresh)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const drop = (name) => name.startsWith("plimsoll-") && name !== CACHE && caches.delete(name);
  event.waitUntil(caches.keys().then((names) => Promise.all(names.map(drop))).then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || !request.url.startsWith(self.registration.scope)) return;
  const kept = caches.open(CACHE).then((cache) => cache.match(request, { ignoreSearch: true }));
  event.respondWith(kept.then((response) => response ?? fetch(request)));
});

// What the page has loaded on demand is kept from then on.
self.addEventListener("message", (event) => {
  const wanted = LATER.filter((file) => file === event.data);
  const keep = async (file) => {
    const cache = await caches.open(CACHE);
    if (!(await cache.match(file))) await cache.add(file);
  };
  event.waitUntil(Promise.all(wanted.map(keep)));
});

// Package httpapi is the HTTP server that all of Portico's APIs are mounted on:
// listeners, TLS, time-outs and size limits, request ids, client addresses
// behind trusted proxies, the access log, the panic barrier, health answers,
// metrics and graceful shutdown.
//
// It knows no API. A dialect is a package below this one that brings its routes
// through the Dialect interface; what its requests mean is the adapter's affair.
//
// Every request passes these steps, in this order, whether or not a route
// matches (the router's own middleware would miss 404 and 405):
//
//  1. identify: makes the Exchange with its request id
//  2. locate: the client's address, by trusted proxies
//  3. barrier: a panic becomes a 500 with the request id
//  4. accessLog: one line and one set of metrics per request
//  5. secure: headers that every answer carries
//  6. limit: body size, no compressed bodies
//  7. the router: health, then the dialects in the given order
//
// Paths are matched as they were sent: nothing is cleaned, merged, decoded or
// redirected before matching, so that the router, the checks and the log see
// one and the same path.
package httpapi

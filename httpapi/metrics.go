package httpapi

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are the server's own numbers. All label values come from closed lists:
// route templates, operation names, status codes.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	latency  *prometheus.HistogramVec
	panics   prometheus.Counter
}

func newMetrics(open func() float64) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "portico_http_requests_total",
			Help: "Requests answered, by route, operation and status.",
		}, []string{"route", "operation", "status"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "portico_http_request_seconds",
			Help:    "Time from the request's header to the end of the answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 30},
		}, []string{"route", "operation"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "portico_http_panics_total",
			Help: "Requests that ended in a panic.",
		}),
	}
	m.registry.MustRegister(m.requests, m.latency, m.panics,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "portico_http_connections",
			Help: "Open client connections.",
		}, open),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) observe(e *Exchange, status int, took time.Duration) {
	route := e.route
	if route == "" {
		route = "(none)"
	}
	m.requests.WithLabelValues(route, e.operation, statusText(status)).Inc()
	m.latency.WithLabelValues(route, e.operation).Observe(took.Seconds())
}

// statusText is the status as a label, without allocating for the usual ones.
func statusText(status int) string {
	switch status {
	case http.StatusOK:
		return "200"
	case http.StatusNoContent:
		return "204"
	case http.StatusForbidden:
		return "403"
	case http.StatusNotFound:
		return "404"
	}
	return strconv.Itoa(status)
}

// handler serves the metrics, and health beside them.
func (s *Server) metricsHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{
		MaxRequestsInFlight: 4,
		Timeout:             20 * time.Second,
	}))
	mux.HandleFunc("GET /healthz", s.serveHealth)
	mux.HandleFunc("GET /readyz", s.serveReady)
	return mux
}

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/latchkey/latchkey/internal/server"
)

// tables reports the size of each table as the sweeper last estimated it.
type tables struct {
	house *house
	rows  *prometheus.Desc
}

func (t tables) Describe(descriptions chan<- *prometheus.Desc) { descriptions <- t.rows }

func (t tables) Collect(metrics chan<- prometheus.Metric) {
	for table, rows := range t.house.store.Sizes() {
		metrics <- prometheus.MustNewConstMetric(t.rows, prometheus.GaugeValue, float64(rows), table)
	}
}

// serveMetrics answers GET /metrics on an address of its own, which need not be
// reachable by those whom the server serves.
func (c *config) serveMetrics(h *house) (stop func(), err error) {
	if c.metricsListen == "" {
		return func() {}, nil
	}
	registry := prometheus.NewRegistry()
	for _, collector := range []prometheus.Collector{
		tables{h, prometheus.NewDesc("latchkey_table_rows", "Rows of a table, as estimated.", []string{"table"}, nil)},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := registry.Register(collector); err != nil {
			return nil, fmt.Errorf("prepare the metrics: %w", err)
		}
	}
	listener, err := net.Listen("tcp", c.metricsListen)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s for metrics: %w", c.metricsListen, err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	metrics := server.Limited(mux, h.log)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := metrics.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			h.log.Error("metrics are served no more", "cause", err)
		}
	}()
	h.log.Info("serving metrics", "address", listener.Addr().String())
	return func() {
		limit, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = metrics.Shutdown(limit)
		<-done
	}, nil
}

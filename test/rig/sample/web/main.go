// Web is the sample application that the rig deploys. What it does well or badly is told by environment variables; see README.md.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

var (
	version         = os.Getenv("VERSION")
	basculeVersion  = os.Getenv("BASCULE_VERSION")
	latency         = milliseconds("LATENCY_MS", 0)
	slowStart       = milliseconds("SLOW_START_MS", 0)
	drainTime       = milliseconds("DRAIN_MS", 1500)
	errorRate       = number("ERROR_RATE", 0)
	memoryGrowth    = int(number("MEMORY_GROWTH_BYTES_PER_SECOND", 0))
	failBehind      = os.Getenv("FAIL_BEHIND_SERVICE") == "true"
	exitBehind      = os.Getenv("EXIT_BEHIND_SERVICE") == "true"
	failHealth      = os.Getenv("FAIL_HEALTH") == "true"
	draining        atomic.Bool
	fields          = object("FIELDS")
	answered, wrong atomic.Int64
	posts, mirrored atomic.Int64
	leaked          [][]byte
)

const echoLimit = 1 << 20

func main() {
	time.Sleep(slowStart)
	go grow()

	server := &http.Server{Addr: ":" + text("PORT", "8080"), Handler: routes(), ReadHeaderTimeout: 10 * time.Second}
	stopped := make(chan struct{})
	go func() {
		end := make(chan os.Signal, 1)
		signal.Notify(end, syscall.SIGTERM, syscall.SIGINT)
		<-end
		// Clients that keep their connection are told to take a new one with each answer, so that none is cut off.
		draining.Store(true)
		time.Sleep(drainTime)
		limit, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = server.Shutdown(limit)
		close(stopped)
	}()
	log.Printf("version %q listens on %s", version, server.Addr)
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		log.Fatal(err)
	}
	<-stopped
}

func routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ready") })
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, r *http.Request) {
		if failHealth {
			refuse(w, "unhealthy by configuration")
			return
		}
		serve(w, r, map[string]any{"status": "ok", "version": version})
	})
	mux.HandleFunc("/stats", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{
			"version": version, "ok": answered.Load(), "wrong": wrong.Load(), "posts": posts.Load(), "mirrored": mirrored.Load(),
		})
	})
	mux.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "# TYPE web_requests_total counter\nweb_requests_total{version=%q,result=\"ok\"} %d\nweb_requests_total{version=%q,result=\"error\"} %d\n",
			version, answered.Load(), version, wrong.Load())
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		cookies := map[string]string{}
		for _, cookie := range r.Cookies() {
			cookies[cookie.Name] = cookie.Value
		}
		content, _ := io.ReadAll(io.LimitReader(r.Body, echoLimit))
		serve(w, r, map[string]any{
			"version": version, "method": r.Method, "path": r.URL.Path, "headers": r.Header, "cookies": cookies, "body": string(content),
		})
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		host, _ := os.Hostname()
		body := map[string]any{"version": version, "host": host}
		maps.Copy(body, fields)
		serve(w, r, body)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("x-version", version)
		if basculeVersion != "" {
			w.Header().Set("x-bascule-version", basculeVersion)
		}
		if draining.Load() {
			w.Header().Set("Connection", "close")
		}
		mux.ServeHTTP(w, r)
	})
}

func serve(w http.ResponseWriter, r *http.Request, body map[string]any) {
	if r.Method == http.MethodPost {
		posts.Add(1)
	}
	if r.Header.Get("x-bascule-mirrored") != "" {
		mirrored.Add(1)
	}
	if throughService(r) {
		if exitBehind {
			os.Exit(3)
		}
		if failBehind {
			refuse(w, "broken behind the service")
			return
		}
	}
	time.Sleep(latency)
	if errorRate > 0 && rand.Float64() < errorRate {
		refuse(w, "unlucky")
		return
	}
	answered.Add(1)
	answer(w, body)
}

func answer(w http.ResponseWriter, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

func refuse(w http.ResponseWriter, reason string) {
	wrong.Add(1)
	http.Error(w, reason, http.StatusInternalServerError)
}

// A request that was sent straight to the Pod names the Pod's own address; one that came through the Service names another.
func throughService(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return false
	}
	own, _, _ := net.SplitHostPort(local.String())
	asked, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		asked = r.Host
	}
	return asked != own
}

func grow() {
	for ; memoryGrowth > 0; time.Sleep(time.Second) {
		block := make([]byte, memoryGrowth)
		for i := 0; i < len(block); i += 4096 {
			block[i] = 1
		}
		leaked = append(leaked, block)
	}
}

func text(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func number(name string, otherwise float64) float64 {
	value := os.Getenv(name)
	if value == "" {
		return otherwise
	}
	parsed, err := strconv.ParseFloat(value, 64)
	if err != nil {
		log.Fatalf("%s = %q is not a number", name, value)
	}
	return parsed
}

func object(name string) map[string]any {
	value := map[string]any{}
	if err := json.Unmarshal([]byte(text(name, "{}")), &value); err != nil {
		log.Fatalf("%s = %q is not a JSON object: %v", name, os.Getenv(name), err)
	}
	return value
}

func milliseconds(name string, otherwise float64) time.Duration {
	return time.Duration(number(name, otherwise) * float64(time.Millisecond))
}

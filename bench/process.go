package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a server that was started to be measured.
type process struct {
	cmd     *exec.Cmd
	address string
	// first is the time from exec to the first answer.
	first time.Duration
	// helpers is the process whose children work for this one: PostgreSQL's. It is
	// zero where there is none.
	helpers int
	// replicas are others that share the load.
	replicas []*process
	// ended is closed when the process has ended; from then on outcome tells how, and
	// said holds what it wrote to its standard error.
	ended   chan struct{}
	outcome error
	said    bytes.Buffer
}

// start runs a server that prints where it listens, and waits for its first answer.
func start(name string, args ...string) (*process, error) {
	return startCommand(exec.Command(name, args...))
}

func startCommand(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, ended: make(chan struct{})}
	cmd.Stderr = &p.said
	// Its children may outlive it and hold its standard error.
	cmd.WaitDelay = patience
	// It must not outlive a benchmark that is killed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	go func() {
		p.outcome = cmd.Wait()
		close(p.ended)
	}()
	if err != nil {
		return nil, p.abandoned(fmt.Errorf("it did not say where it listens: %w", err))
	}
	// What it goes on to print must not fill the pipe.
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	_, p.address, _ = strings.Cut(strings.TrimSpace(line), "http://")
	if p.first, err = answered(p.address, began); err != nil {
		return nil, p.abandoned(err)
	}
	return p, nil
}

// abandoned stops a server that did not start, and adds what it said.
func (p *process) abandoned(err error) error {
	stopped := p.stop()
	return errors.Join(fmt.Errorf("%s: %w\n%s", p.name(), err, p.said.String()), stopped)
}

func (p *process) name() string { return filepath.Base(p.cmd.Path) }

// patience bounds how long a server may take to stop.
const patience = 30 * time.Second

// died is what a server said that has ended by itself; nil of one that runs.
func (p *process) died() error {
	for _, one := range p.all() {
		select {
		case <-one.ended:
			return fmt.Errorf("%s has ended: %v\n%s", one.name(), one.outcome, one.said.String())
		case <-time.After(time.Second):
		}
	}
	return nil
}

// all is the process with its replicas.
func (p *process) all() []*process { return append([]*process{p}, p.replicas...) }

func (p *process) addresses() []string {
	var addresses []string
	for _, one := range p.all() {
		addresses = append(addresses, one.address)
	}
	return addresses
}

// answered waits for the first answer, whatever it is.
func answered(address string, began time.Time) (time.Duration, error) {
	c, err := dial(address)
	if err != nil {
		return 0, fmt.Errorf("it does not answer: %w", err)
	}
	defer c.close()
	if _, _, err := c.exchange([]byte("GET /healthz HTTP/1.1\r\nHost: " + address + "\r\n\r\n")); err != nil {
		return 0, fmt.Errorf("it does not answer: %w", err)
	}
	return time.Since(began), nil
}

// stop ends the server in its own way and waits for it. Servers differ in how they
// exit on a signal, so only one that does not is an error.
func (p *process) stop() error {
	var failed error
	for _, one := range p.all() {
		// It fails where the process has ended.
		_ = one.cmd.Process.Signal(syscall.SIGTERM)
	}
	for _, one := range p.all() {
		select {
		case <-one.ended:
		case <-time.After(patience):
			failed = errors.Join(failed, fmt.Errorf("%s does not stop", one.name()), one.cmd.Process.Kill())
			<-one.ended
		}
	}
	return failed
}

// cpu is the time that the server, and those who work for it, have computed.
func (p *process) cpu() time.Duration {
	var total time.Duration
	for _, one := range p.all() {
		total += cpuOf(one.cmd.Process.Pid)
		workers := childrenOf(one.cmd.Process.Pid)
		if one.helpers != 0 {
			workers = append(append(workers, one.helpers), childrenOf(one.helpers)...)
		}
		for _, worker := range workers {
			total += cpuOf(worker)
		}
	}
	return total
}

// tick is the unit of /proc/PID/stat: USER_HZ is 100 on Linux.
const tick = 10 * time.Millisecond

// cpuOf is what a process and its children that have ended computed; zero when it
// is gone.
func cpuOf(pid int) time.Duration {
	fields := statOf(pid)
	var total time.Duration
	for i := 11; i <= 14 && i < len(fields); i++ {
		n, _ := strconv.Atoi(fields[i])
		total += time.Duration(n) * tick
	}
	return total
}

// statOf is /proc/PID/stat behind the name, which may hold spaces.
func statOf(pid int) []string {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	return strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
}

func childrenOf(pid int) []int {
	entries, _ := filepath.Glob("/proc/[0-9]*")
	var children []int
	for _, entry := range entries {
		child, err := strconv.Atoi(filepath.Base(entry))
		if fields := statOf(child); err == nil && len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			children = append(children, child)
		}
	}
	return children
}

// memory is the resident set of the server in bytes.
func (p *process) memory() int64 {
	var total int64
	for _, one := range p.all() {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", one.cmd.Process.Pid))
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(raw), "VmRSS:")
		kib, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
		n, _ := strconv.ParseInt(kib, 10, 64)
		total += n << 10
	}
	return total
}

package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
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
}

// start runs a server that prints where it listens, and waits for its first answer.
func start(name string, args ...string) (*process, error) {
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
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
	p := &process{cmd: cmd}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s did not say where it listens: %w", filepath.Base(name), err), p.stop())
	}
	_, p.address, _ = strings.Cut(strings.TrimSpace(line), "http://")
	if p.first, err = answered(p.address, began); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

// answered waits for the first answer, whatever it is.
func answered(address string, began time.Time) (time.Duration, error) {
	c, err := dial(address)
	if err != nil {
		return 0, fmt.Errorf("the server does not answer: %w", err)
	}
	defer c.close()
	if _, _, err := c.exchange([]byte("GET /healthz HTTP/1.1\r\nHost: " + address + "\r\n\r\n")); err != nil {
		return 0, fmt.Errorf("the server does not answer: %w", err)
	}
	return time.Since(began), nil
}

// stop ends the server in its own way and waits for it.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		// Servers differ in how they exit on a signal.
		return nil
	}
	return err
}

// cpu is the time that the server, and those who work for it, have computed.
func (p *process) cpu() time.Duration {
	total := cpuOf(p.cmd.Process.Pid)
	if p.helpers != 0 {
		total += cpuOf(p.helpers)
		for _, child := range childrenOf(p.helpers) {
			total += cpuOf(child)
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
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(raw), "VmRSS:")
	kib, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, _ := strconv.ParseInt(kib, 10, 64)
	return n << 10
}

// freeAddress picks a port that nobody listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

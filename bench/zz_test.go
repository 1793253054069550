package main
import ("testing";"os";"fmt";"time";"syscall";"strconv")
func cpuSelf() time.Duration { var u syscall.Rusage; syscall.Getrusage(0,&u); return time.Duration(u.Utime.Nano()+u.Stime.Nano()) }
func TestZZ(t *testing.T){
 p,err:=start("/tmp/bench-h1","ceiling"); if err!=nil{t.Fatal(err)}; defer p.stop()
 cs:=make([]client,64); for i:=range cs{cs[i]=bareClient()}
 share,_:=strconv.ParseFloat(os.Getenv("SHARE"),64)
 for range 4 {
 c0,s0:=p.cpu(),cpuSelf()
 r,err:=closed(p.addresses(),cs,warm,500*time.Millisecond); if err!=nil{t.Fatal(err)}
 c1,s1:=p.cpu(),cpuSelf()
 o,err:=open(p.addresses(),cs,r.rate()*share,warm,500*time.Millisecond); if err!=nil{t.Fatal(err)}
 c2,s2:=p.cpu(),cpuSelf()
 fmt.Printf("closed %.0f/s med %v p99 %v cpu srv %v self %v | open %.0f/s med %v p99 %v cpu srv %v self %v in %v\n", r.rate(), r.latency.quantile(.5), r.latency.quantile(.99), c1-c0, s1-s0, o.rate(), o.latency.quantile(.5), o.latency.quantile(.99), c2-c1,s2-s1, o.elapsed)
 }
}

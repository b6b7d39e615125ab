// A grpc-go server for the tests of chaos: it answers every method, prints the name of each item that it
// writes, and ends by GracefulStop when it gets SIGTERM.
//
//	graceful 127.0.0.1:0
//
// Once it accepts calls it prints "listening on ADDRESS", then "write NAME" for each Create. It knows the
// messages of tests/integration/shop.proto by their bytes only, so nothing has to be generated.
package main

import (
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
)

// Message is what was on the wire.
type Message []byte

// Codec leaves messages as they are.
type Codec struct{}

func (Codec) Marshal(v any) ([]byte, error) { return *v.(*Message), nil }

func (Codec) Unmarshal(data []byte, v any) error {
	*v.(*Message) = append(Message{}, data...)
	return nil
}

func (Codec) Name() string { return "proto" }

// An Item with the name "n".
var item = Message{0x0a, 1, 'n'}

// The name of the item in a CreateRequest: both are the first field, and short.
func name(request Message) string {
	if len(request) < 4 {
		return ""
	}
	return string(request[4 : 4+int(request[3])])
}

func answer(_ any, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	var request Message
	if err := stream.RecvMsg(&request); err != nil {
		return err
	}
	if strings.HasSuffix(method, "/Watch") {
		for range 5 {
			if err := stream.SendMsg(&item); err != nil {
				return err
			}
			time.Sleep(100 * time.Millisecond)
		}
		return nil
	}
	if strings.HasSuffix(method, "/Create") {
		fmt.Printf("write %s\n", name(request))
	}
	time.Sleep(5 * time.Millisecond)
	return stream.SendMsg(&item)
}

func main() {
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer(grpc.ForceServerCodec(Codec{}), grpc.UnknownServiceHandler(answer))
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-told
		server.GracefulStop()
	}()
	fmt.Printf("listening on %s\n", listener.Addr())
	if err := server.Serve(listener); err != nil {
		log.Fatal(err)
	}
}

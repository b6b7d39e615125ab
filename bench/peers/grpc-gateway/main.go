// grpc-gateway in front of the sample server: `grpc-gateway LISTEN UPSTREAM`.
// bench/run generates the package benchv1 beside this file.
package main

import (
	"context"
	"log"
	"net/http"
	"os"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"bench/benchv1"
)

func main() {
	mux := runtime.NewServeMux()
	dial := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	if err := benchv1.RegisterBenchHandlerFromEndpoint(context.Background(), mux, os.Args[2], dial); err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe(os.Args[1], mux))
}

"""Where model servers run: processes of this machine (`local`), Deployments of a cluster (`kube`)."""

/root/w/surv/cases/build/lib/probe_loop.o: lib/probe_loop.c lib/cpus.h \
 lib/util.h lib/probe_ops.h lib/json.h lib/vcpu.h ../guest/probe.h \
 lib/vm.h lib/kvm.h lib/kvm_abi.h lib/observe.h lib/step.h lib/sigbus.h \
 lib/supervise.h lib/case.h
lib/cpus.h:
lib/util.h:
lib/probe_ops.h:
lib/json.h:
lib/vcpu.h:
../guest/probe.h:
lib/vm.h:
lib/kvm.h:
lib/kvm_abi.h:
lib/observe.h:
lib/step.h:
lib/sigbus.h:
lib/supervise.h:
lib/case.h:

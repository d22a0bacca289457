/root/w/surv/cases/build/lib/can.o: lib/can.c lib/cpus.h lib/util.h \
 lib/facts.h lib/json.h lib/failalloc.h lib/gmem.h lib/vm.h lib/kvm.h \
 lib/kvm_abi.h lib/observe.h lib/step.h lib/hostmem.h lib/hwpoison.h \
 lib/kmsg.h lib/memcg.h lib/memslot.h lib/nodes.h lib/probe_ops.h \
 lib/vcpu.h ../guest/probe.h lib/sigbus.h lib/supervise.h lib/case.h
lib/cpus.h:
lib/util.h:
lib/facts.h:
lib/json.h:
lib/failalloc.h:
lib/gmem.h:
lib/vm.h:
lib/kvm.h:
lib/kvm_abi.h:
lib/observe.h:
lib/step.h:
lib/hostmem.h:
lib/hwpoison.h:
lib/kmsg.h:
lib/memcg.h:
lib/memslot.h:
lib/nodes.h:
lib/probe_ops.h:
lib/vcpu.h:
../guest/probe.h:
lib/sigbus.h:
lib/supervise.h:
lib/case.h:

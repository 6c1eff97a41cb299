.PHONY: demo test

demo test:
	./run $@

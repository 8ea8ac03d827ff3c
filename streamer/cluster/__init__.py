"""The watch of a site over several machines, on a Ray cluster. See docs/cluster.md.

The parts are those of one machine, wrapped: an ingest part is cameras' stations, an inference part is batcher and
worker, a rules part is the judge. They talk to each other through ``Peer`` and know nothing of Ray, which
``ray_crew`` and ``ray_start`` alone import.

====================  ==========================================================================
``wire``              what crosses between the parts
``peer``              how one part calls another
``ingest_part``       reads cameras, holds their frames (``held_frames``), sends them (``sender``)
``inference_part``    looks; its pictures are ``sent_picture``, its looks go out by ``courier``
``rules_part``        judges, and keeps what it made until the head has stored it
``parts``, ``stuck``  makes a part in the process that is to be it; whether one can go on
``watch``             the head: keeps parts alive, moves cameras, takes alerts
``placement``         which part runs where and whose each camera is: no threads, no clock
``roster``            the parts as the head knows them; ``orders``: what each is to do
``accounts``          what the parts report, put together; ``looks_shown``: judged looks
``crew``              what the head needs of whatever runs parts; ``ray_crew``: as actors of Ray
``ray_start``         the connection to the cluster
``making``            from a site's settings to all this
====================  ==========================================================================
"""
